//! Tracked objects: one number for each thing that is tracked, however many track it.

use std::collections::{HashMap, HashSet};

use crate::config::Tracked;

/// The numbers of tracked objects, and their states as the engine was told.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    numbers: HashMap<Tracked, u16>,
    slots: Vec<Option<Object>>,
}

/// One tracked object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) what: Tracked,
    pub(crate) up: bool,
}

impl Objects {
    /// The number of `what`, which stays the same for as long as anything tracks it. A new object
    /// is up.
    pub(crate) fn number(&mut self, what: &Tracked) -> u16 {
        if let Some(&number) = self.numbers.get(what) {
            return number;
        }
        let object = Object {
            what: what.clone(),
            up: true,
        };
        let free = self.slots.iter().position(Option::is_none);
        let place = free.unwrap_or(self.slots.len());
        if place == self.slots.len() {
            self.slots.push(Some(object));
        } else {
            self.slots[place] = Some(object);
        }
        // The tables admit 1,024 virtual routers with 8 objects each, twice during a reload.
        let number = place as u16;
        self.numbers.insert(what.clone(), number);
        number
    }

    pub(crate) fn find(&self, what: &Tracked) -> Option<u16> {
        self.numbers.get(what).copied()
    }

    /// Whether the object is up; an unknown one is.
    pub(crate) fn is_up(&self, number: u16) -> bool {
        self.slots
            .get(usize::from(number))
            .and_then(Option::as_ref)
            .is_none_or(|object| object.up)
    }

    /// Records a state. Whether it is news.
    pub(crate) fn set(&mut self, number: u16, up: bool) -> bool {
        match self.slots.get_mut(usize::from(number)) {
            Some(Some(object)) if object.up != up => {
                object.up = up;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Object)> {
        (0u16..)
            .zip(&self.slots)
            .filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// Forgets what is not in `used`.
    pub(crate) fn retain(&mut self, used: &HashSet<&Tracked>) {
        self.numbers.retain(|what, _| used.contains(what));
        for slot in &mut self.slots {
            if slot
                .as_ref()
                .is_some_and(|object| !used.contains(&object.what))
            {
                *slot = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shared_and_stay() {
        let [a, b, c] = ["a", "b", "c"].map(|name| Tracked::Named(name.into()));
        let mut objects = Objects::default();
        assert_eq!(
            [objects.number(&a), objects.number(&b), objects.number(&a)],
            [0, 1, 0]
        );
        assert!(objects.set(1, false));
        assert!(!objects.set(1, false));
        objects.retain(&HashSet::from([&b]));
        assert_eq!(objects.find(&a), None);
        assert_eq!(objects.number(&c), 0);
        assert_eq!(objects.number(&b), 1);
        assert!(objects.is_up(0) && !objects.is_up(1));
    }
}
