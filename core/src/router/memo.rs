//! What is remembered so as not to be worked out again.

/// A value that was worked out, or none. With the feature `small` it is always none: the value is
/// worked out again each time, and takes no memory.
#[derive(Clone, Copy)]
pub(super) struct Memo<T> {
    #[cfg(not(feature = "small"))]
    value: Option<T>,
    #[cfg(feature = "small")]
    value: core::marker::PhantomData<T>,
}

impl<T: Copy> Memo<T> {
    #[cfg(not(feature = "small"))]
    pub(super) const NONE: Self = Self { value: None };
    #[cfg(feature = "small")]
    pub(super) const NONE: Self = Self {
        value: core::marker::PhantomData,
    };

    #[inline(always)]
    pub(super) fn get(&self) -> Option<T> {
        #[cfg(not(feature = "small"))]
        return self.value;
        #[cfg(feature = "small")]
        return None;
    }

    #[inline(always)]
    pub(super) fn set(&mut self, value: Option<T>) {
        #[cfg(not(feature = "small"))]
        {
            self.value = value;
        }
        #[cfg(feature = "small")]
        let _ = value;
    }
}
