//! Division by a number that is known beforehand, as a multiplication.

/// A number to divide by.
#[derive(Debug, Clone, Copy)]
pub struct Divisor {
    by: u64,
    /// 2^64 - 1 divided by it, cut to whole.
    reciprocal: u64,
}

impl Divisor {
    /// Division by `by`, which counts as 1 when it is 0.
    pub fn new(by: u64) -> Self {
        let by = by.max(1);
        Self { by, reciprocal: u64::MAX / by }
    }

    /// The quotient, cut to whole, and the rest.
    #[inline]
    pub fn divide(self, number: u64) -> (u64, u64) {
        // The reciprocal is at least 2^64 / by - 1, so what is cut here is above number / by - 1: one short at most.
        let quotient = ((u128::from(number) * u128::from(self.reciprocal)) >> 64) as u64;
        let rest = number - quotient * self.by;
        let is_short = rest >= self.by;
        (quotient + u64::from(is_short), if is_short { rest - self.by } else { rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_as_division_does() {
        let edges =
            [0, 1, 2, 3, 59, 60, 61, 3_599_999, 3_600_000, 3_600_001, 1_785_000_000_123, u64::MAX / 2];
        let numbers: Vec<u64> = edges.iter().flat_map(|&n| [n, u64::MAX - n, n.wrapping_mul(n)]).collect();
        for &by in numbers.iter().filter(|by| **by > 0) {
            let divisor = Divisor::new(by);
            let multiples = (1..4u64).flat_map(|n| [by.wrapping_mul(n), by.wrapping_mul(n).wrapping_sub(1)]);
            for number in numbers.iter().copied().chain(multiples) {
                assert_eq!(divisor.divide(number), (number / by, number % by), "{number} by {by}");
            }
        }
        assert_eq!(Divisor::new(0).divide(7), (7, 0));
    }
}
