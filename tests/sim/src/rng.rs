//! Everything that is left to chance, from one 64-bit seed.

/// A source of decisions: a generator, or octets that somebody else chose.
pub trait Draw {
    /// A number below `limit`, which is not zero.
    fn below(&mut self, limit: u64) -> u64;

    /// Whether there is nothing left that could decide.
    fn is_used_up(&self) -> bool {
        false
    }

    /// A number from `from` up to and with `to`.
    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// Whether something happens that does so `of_million` times in a million.
    fn chance(&mut self, of_million: u64) -> bool {
        self.below(1_000_000) < of_million
    }

    /// One of several, which are not none.
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// A small generator of good quality (SplitMix64): the same seed gives the same numbers for ever.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A generator of its own, so that what one part draws does not move another's.
    pub fn fork(&mut self) -> Rng {
        Rng(self.bits())
    }
}

impl Draw for Rng {
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }
}
