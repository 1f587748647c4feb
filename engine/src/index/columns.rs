//! Blocks of numbers that are as narrow as the greatest of them.

use crate::segment::layout::{FileWriter, Tag};
use crate::segment::sink::Sink;

/// Bytes of each number when none is greater than this.
pub(super) fn width(greatest: u32) -> usize {
    match greatest {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}

/// The least and the greatest of some numbers, if there are any.
pub(super) fn bounds(mut numbers: impl Iterator<Item = u32>) -> Option<(u32, u32)> {
    let first = numbers.next()?;
    Some(numbers.fold((first, first), |(least, greatest), number| (least.min(number), greatest.max(number))))
}

/// Writes a block, or one number when all are alike; nothing of no numbers.
pub(super) fn write<S: Sink>(
    out: &mut FileWriter<S>,
    (tag, value): (Tag, u32),
    bounds: Option<(u32, u32)>,
    numbers: impl Iterator<Item = u32>,
) {
    let Some((least, greatest)) = bounds else { return };
    match width(greatest) {
        _ if least == greatest => out.constant(tag, least),
        1 => out.numbers(tag, value, numbers.map(|number| number as u8)),
        2 => out.numbers(tag, value, numbers.map(|number| number as u16)),
        _ => out.numbers(tag, value, numbers),
    }
}

/// Writes a block of at least 16 bits a number.
pub(super) fn write_wide<S: Sink>(out: &mut FileWriter<S>, tag: Tag, numbers: &[u32]) {
    if numbers.iter().all(|&number| u16::try_from(number).is_ok()) {
        out.numbers(tag, 0, numbers.iter().map(|&number| number as u16));
    } else {
        out.block(tag, 0, numbers);
    }
}
