//! Random numbers that are the same in each simulation (SplitMix64).
//! <https://prng.di.unimi.it/splitmix64.c>

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number from 0 to `most`, including both.
    pub fn up_to(&mut self, most: i64) -> i64 {
        let share = u128::from(self.next()) * (most.max(0) as u128 + 1);
        (share >> 64) as i64
    }

    /// The time until the next event, if events are independent and `mean` apart on average.
    pub fn wait(&mut self, mean: i64) -> i64 {
        let share = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        (-(1.0 - share).ln() * mean as f64) as i64
    }
}
