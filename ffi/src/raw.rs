//! The only module that reads and writes through the caller's pointers.
//!
//! A pointer is checked as far as it can be: NULL, misaligned, and longer than memory. Each header asks
//! the caller that the memory is there, and that no other thread uses it meanwhile.

use core::ffi::c_int;
#[cfg(feature = "host")]
use core::ffi::{CStr, c_char};
use core::mem::{MaybeUninit, size_of};
use core::slice;

use crate::numbers::{VRRP_ERR_ALIGN, VRRP_ERR_NULL, VRRP_ERR_SIZE, VRRP_ERR_VALUE};

/// A plain struct of C: `repr(C)`, and any octets are one.
///
/// # Safety
/// Every pattern of octets is a value of the type.
pub(crate) unsafe trait Plain: Copy {}

/// A struct that begins with its size and grows at its end.
///
/// A field that is added later begins at `FIRST` or behind it, and not in the padding before it: an
/// old program writes nothing sensible there.
///
/// # Safety
/// The first field is the size, a `u32`, and `FIRST` is at least 4.
pub(crate) unsafe trait Sized32: Plain {
    /// The size in octets with which the struct was first published. No program has a shorter one.
    const FIRST: usize;

    /// The values of the fields that the struct of an older program lacks. All zero unless a struct
    /// has other defaults.
    fn defaults() -> Self {
        // SAFETY: any octets are a value of a plain struct.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

/// The size in octets of a struct `T` whose last field, of type `F`, begins at `offset`.
pub(crate) const fn size_up_to<T, F>(offset: usize, _last: fn(&T) -> &F) -> usize {
    (offset + size_of::<F>()).next_multiple_of(align_of::<T>())
}

/// Implements [`Sized32`] for structs, each with the last field of its first published form.
macro_rules! sized {
    ($($name:ident up to $last:ident;)*) => {$(
        // SAFETY: its first field is `size: u32`.
        unsafe impl crate::raw::Sized32 for $name {
            const FIRST: usize = crate::raw::size_up_to(
                core::mem::offset_of!($name, $last),
                |whole: &$name| &whole.$last,
            );
        }
    )*};
}
pub(crate) use sized;

// SAFETY: any octet is an octet.
unsafe impl Plain for u8 {}
// SAFETY: any four octets are a number.
unsafe impl Plain for u32 {}
// SAFETY: any eight octets are a number.
unsafe impl Plain for u64 {}
// SAFETY: any octets are a pointer, if not a good one.
#[cfg(feature = "host")]
unsafe impl Plain for *const c_char {}

/// Refuses what is NULL or misaligned.
#[inline]
pub(crate) fn check<T>(pointer: *const T) -> Result<(), c_int> {
    if pointer.is_null() {
        return Err(VRRP_ERR_NULL);
    }
    match pointer.is_aligned() {
        true => Ok(()),
        false => Err(VRRP_ERR_ALIGN),
    }
}

/// Reads what `pointer` points to.
///
/// # Safety
/// It is NULL, misaligned, or points to a `T`.
#[inline]
pub(crate) unsafe fn read<T: Plain>(pointer: *const T) -> Result<T, c_int> {
    check(pointer)?;
    // SAFETY: it is neither NULL nor misaligned, so it points to a `T`, which can have any value.
    Ok(unsafe { pointer.read() })
}

/// Reads a struct that begins with its size. Fields that an older program lacks have their defaults;
/// octets that a newer program has beyond ours must be zero.
///
/// # Safety
/// It is NULL, misaligned, or points to as many octets as its size says, and to four at least.
#[inline]
pub(crate) unsafe fn read_sized<T: Sized32>(pointer: *const T) -> Result<T, c_int> {
    // SAFETY: the contract is the same.
    let size = unsafe { check_sized(pointer)? };
    let Some(beyond) = size.checked_sub(size_of::<T>()) else {
        let mut value = T::defaults();
        // SAFETY: `size` octets are there, which are fewer than a `T` has, and any octets are a `T`.
        unsafe {
            let to = (&raw mut value).cast::<u8>();
            to.copy_from_nonoverlapping(pointer.cast::<u8>(), size);
        }
        return Ok(value);
    };
    // SAFETY: `size` octets are there.
    let rest = unsafe { items(pointer.cast::<u8>().add(size_of::<T>()), beyond)? };
    if rest.iter().any(|octet| *octet != 0) {
        return Err(VRRP_ERR_SIZE);
    }
    // SAFETY: a whole `T` is there, which can have any value.
    Ok(unsafe { pointer.read() })
}

/// Gives the size that the caller has written into a struct, unless it is shorter than any program's.
///
/// # Safety
/// It is NULL, misaligned, or points to as many octets as its size says, and to four at least.
#[inline]
pub(crate) unsafe fn check_sized<T: Sized32>(pointer: *const T) -> Result<usize, c_int> {
    check(pointer)?;
    // SAFETY: four octets are there, and the alignment of `T` is at least that of its first field.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    if size >= T::FIRST {
        Ok(size)
    } else {
        Err(VRRP_ERR_SIZE)
    }
}

/// Writes as much of a value as the caller has room for, `size` octets, and leaves the rest alone. The
/// size in the struct becomes that of what was written.
///
/// # Safety
/// The pointer has passed [`check_sized`], which gave `size`.
#[inline]
pub(crate) unsafe fn write_sized<T: Sized32>(pointer: *mut T, size: usize, value: T) {
    let written = size.min(size_of::<T>());
    // SAFETY: `size` octets are there, the first four of them the size.
    unsafe {
        if written == size_of::<T>() {
            pointer.write(value);
        } else {
            let from = (&raw const value).cast::<u8>();
            pointer.cast::<u8>().copy_from_nonoverlapping(from, written);
        }
        pointer.cast::<u32>().write(written as u32);
    }
}

/// Writes a value.
///
/// # Safety
/// The pointer has passed [`check`], and points to memory for a `T`.
#[inline]
pub(crate) unsafe fn write<T: Plain>(pointer: *mut T, value: T) {
    // SAFETY: the pointer is good, by the contract.
    unsafe { pointer.write(value) }
}

/// Writes a value unless the pointer is NULL.
///
/// # Safety
/// It is NULL or points to memory for a `T`, aligned or not.
#[inline]
pub(crate) unsafe fn write_optional<T: Plain>(pointer: *mut T, value: T) {
    if !pointer.is_null() {
        // SAFETY: there is memory for a `T`.
        unsafe { pointer.write_unaligned(value) }
    }
}

/// `len` values. NULL will do for none.
///
/// # Safety
/// It is NULL, misaligned, or points to `len` values that nobody changes during `'a`.
#[inline]
pub(crate) unsafe fn items<'a, T: Plain>(pointer: *const T, len: usize) -> Result<&'a [T], c_int> {
    if len == 0 {
        return Ok(&[]);
    }
    check(pointer)?;
    check_len::<T>(len)?;
    // SAFETY: it points to `len` values of any octets, not beyond what a slice may span.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// Memory for `len` values. NULL will do for none.
///
/// # Safety
/// It is NULL, misaligned, or points to memory for `len` values that nobody else uses during `'a`.
#[inline]
pub(crate) unsafe fn items_mut<'a, T: Plain>(
    pointer: *mut T,
    len: usize,
) -> Result<&'a mut [T], c_int> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(pointer)?;
    check_len::<T>(len)?;
    // SAFETY: it points to memory for `len` values, not beyond what a slice may span. Any octets,
    // those of memory that was never written included, are a value.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// A string in UTF-8.
///
/// # Safety
/// It is NULL, or ends with a 0, and nobody changes it during `'a`.
#[cfg(feature = "host")]
pub(crate) unsafe fn string<'a>(text: *const c_char) -> Result<&'a str, c_int> {
    check(text)?;
    // SAFETY: it ends with a 0, by the contract.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| VRRP_ERR_VALUE)
}

/// A slice spans at most half of the address space.
#[inline]
fn check_len<T>(len: usize) -> Result<(), c_int> {
    match len.checked_mul(size_of::<T>()) {
        Some(octets) if isize::try_from(octets).is_ok() => Ok(()),
        _ => Err(VRRP_ERR_VALUE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::*;

    /// A struct that was published with one number, and grew.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Grown {
        size: u32,
        old: u32,
        new: u32,
    }

    // SAFETY: numbers.
    unsafe impl Plain for Grown {}
    // SAFETY: its first field is the size.
    unsafe impl Sized32 for Grown {
        const FIRST: usize = 8;

        fn defaults() -> Self {
            Self {
                size: 12,
                old: 100,
                new: 7,
            }
        }
    }

    /// Memory of a program: more room than any struct here takes, every octet 0xa5 or as given.
    #[repr(C, align(8))]
    struct Memory([u8; 8192]);

    impl Memory {
        fn new(words: &[u32]) -> Self {
            let mut octets = [0xa5; 8192];
            for (at, word) in words.iter().enumerate() {
                octets[4 * at..][..4].copy_from_slice(&word.to_ne_bytes());
            }
            Self(octets)
        }

        fn read(&self) -> Result<Grown, c_int> {
            // SAFETY: there is more room than any size that the tests write.
            unsafe { read_sized((&raw const self.0).cast()) }
        }
    }

    #[test]
    fn a_field_that_an_old_program_lacks_has_its_default() {
        let read = Memory::new(&[8, 3]).read();
        assert_eq!(
            read,
            Ok(Grown {
                size: 8,
                old: 3,
                new: 7
            })
        );
    }

    #[test]
    fn a_program_of_today_is_read_whole() {
        let read = Memory::new(&[12, 3, 4]).read();
        assert_eq!(
            read,
            Ok(Grown {
                size: 12,
                old: 3,
                new: 4
            })
        );
    }

    #[test]
    fn a_newer_program_may_not_set_what_we_do_not_know() {
        let read = Memory::new(&[20, 3, 4, 0, 0]).read();
        assert_eq!(
            read,
            Ok(Grown {
                size: 20,
                old: 3,
                new: 4
            })
        );
        assert_eq!(Memory::new(&[20, 3, 4, 0, 1]).read(), Err(VRRP_ERR_SIZE));
    }

    /// Nothing is written beyond the size that a program gives, nor read.
    fn keeps_to_sizes<T: Sized32>(first: usize) {
        assert_eq!(T::FIRST, first, "the first published size never changes");
        assert!(T::FIRST <= size_of::<T>());
        for size in [T::FIRST, size_of::<T>(), size_of::<T>() + 8] {
            let mut memory = Memory::new(&[size as u32]);
            let to = (&raw mut memory.0).cast::<T>();
            // SAFETY: there is more room than `size`, and any octets are a `T`.
            unsafe {
                assert_eq!(check_sized(to), Ok(size));
                write_sized(to, size, T::defaults());
                let written = size.min(size_of::<T>());
                assert_eq!((&raw const memory.0).cast::<u32>().read() as usize, written);
                assert!(memory.0[written..].iter().all(|octet| *octet == 0xa5));
                memory.0[written..].fill(0);
                memory.0[..4].copy_from_slice(&(size as u32).to_ne_bytes());
                assert!(read_sized((&raw const memory.0).cast::<T>()).is_ok());
            }
        }
        let memory = Memory::new(&[T::FIRST as u32 - 1]);
        // SAFETY: as above.
        let refused = unsafe { read_sized((&raw const memory.0).cast::<T>()).map(drop) };
        assert_eq!(refused, Err(VRRP_ERR_SIZE));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn every_struct_with_a_size_may_be_shorter_or_longer() {
        keeps_to_sizes::<vrrp_interface>(32);
        keeps_to_sizes::<vrrp_config>(104);
        keeps_to_sizes::<vrrp_packet>(52);
        keeps_to_sizes::<vrrp_output>(88);
        keeps_to_sizes::<vrrp_status>(72);
        keeps_to_sizes::<vrrp_statistics>(48);
        keeps_to_sizes::<crate::gate::vrrp_gate_action>(52);
    }

    #[test]
    #[cfg(all(feature = "host", target_pointer_width = "64"))]
    fn every_struct_of_the_host_with_a_size_may_be_shorter_or_longer() {
        use crate::host::*;
        keeps_to_sizes::<vrrp_host_router>(40);
        keeps_to_sizes::<vrrp_host_config>(40);
        keeps_to_sizes::<vrrp_host_options>(24);
        keeps_to_sizes::<vrrp_host_event>(2824);
        keeps_to_sizes::<vrrp_host_service>(48);
        keeps_to_sizes::<vrrp_host_sighting>(1152);
    }
}
