//! Repeatable randomness: a stream for choices in their order, hashes for what stays the same of a person.

/// A stream of numbers (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// From 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        to_unit(self.next())
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// How many times until something of this mean happens, at least once.
    pub fn geometric(&mut self, mean: f64) -> usize {
        1 + ((1.0 - self.unit()).ln() / (1.0 - 1.0 / mean).ln()) as usize
    }

    /// Whose logarithm is normally distributed about `middle`.
    pub fn log_normal(&mut self, middle: f64, deviation: f64) -> f64 {
        let (angle, radius) = (self.unit() * std::f64::consts::TAU, (-2.0 * (1.0 - self.unit()).ln()).sqrt());
        (middle + deviation * radius * angle.cos()).exp()
    }

    /// Letters that can be spoken.
    pub fn word(&mut self, syllables: usize) -> String {
        const FIRST: &[u8] = b"bcdfghklmnprstvwz";
        const SECOND: &[u8] = b"aeiou";
        let mut word = String::new();
        for _ in 0..syllables {
            word.push(char::from(FIRST[self.below(FIRST.len())]));
            word.push(char::from(SECOND[self.below(SECOND.len())]));
        }
        word
    }
}

/// A hash of a number, another for each salt.
pub fn hash(number: u64, salt: u64) -> u64 {
    scramble(number.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// A [`hash`] from 0 to below 1.
pub fn unit(number: u64, salt: u64) -> f64 {
    to_unit(hash(number, salt))
}

fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn to_unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Things of different weights, by their places.
pub struct Choice {
    ends: Vec<f64>,
}

impl Choice {
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let ends = weights.into_iter().map(|weight| {
            sum += weight;
            sum
        });
        Self { ends: ends.collect() }
    }

    /// The first is taken most, the n-th `n^exponent` times less often.
    pub fn zipf(count: usize, exponent: f64) -> Self {
        Self::new((1..=count).map(|rank| (rank as f64).powf(-exponent)))
    }

    /// The place that a number from 0 to below 1 falls on.
    pub fn at(&self, unit: f64) -> usize {
        let wanted = unit * self.ends.last().copied().unwrap_or(0.0);
        self.ends.partition_point(|&end| end <= wanted).min(self.ends.len().saturating_sub(1))
    }

    pub fn draw(&self, random: &mut Random) -> usize {
        self.at(random.unit())
    }
}
