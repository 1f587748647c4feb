//! Choices.

use crate::random::Random;

/// True in `percent` of a hundred cases.
pub fn chance(random: &mut Random, percent: usize) -> bool {
    random.below(100) < percent
}

pub fn pick<'a, T>(random: &mut Random, list: &'a [T]) -> &'a T {
    &list[random.below(list.len())]
}

/// A number of `low..=high`.
pub fn between(random: &mut Random, low: i64, high: i64) -> i64 {
    low + random.below((high - low + 1) as usize) as i64
}

/// Some of a list, at least one, in its order.
pub fn some<T: Clone>(random: &mut Random, list: &[T]) -> Vec<T> {
    let kept: Vec<T> = list.iter().filter(|_| random.below(2) == 0).cloned().collect();
    if kept.is_empty() { vec![pick(random, list).clone()] } else { kept }
}
