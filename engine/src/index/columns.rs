//! Columns of numbers that are as narrow as the greatest that came so far.

use crate::segment::layout::{FileWriter, Tag};
use crate::segment::sink::Sink;
use crate::segment::table::Narrow;

/// A column that widens when it must.
#[derive(Debug)]
pub(super) enum Widening {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Default for Widening {
    fn default() -> Self {
        Self::U8(Vec::new())
    }
}

impl Widening {
    /// The column of these numbers.
    pub fn of(numbers: impl Iterator<Item = u32>) -> Self {
        let mut column = Self::default();
        numbers.for_each(|number| column.push(number));
        column
    }

    pub fn push(&mut self, number: u32) {
        match self {
            Self::U8(numbers) => match u8::try_from(number) {
                Ok(number) => numbers.push(number),
                Err(_) => {
                    *self = Self::U16(numbers.iter().map(|&number| number.into()).collect());
                    self.push(number);
                }
            },
            Self::U16(numbers) => match u16::try_from(number) {
                Ok(number) => numbers.push(number),
                Err(_) => {
                    *self = Self::U32(numbers.iter().map(|&number| number.into()).collect());
                    self.push(number);
                }
            },
            Self::U32(numbers) => numbers.push(number),
        }
    }

    /// The number at a place; 0 for a place that is not there.
    pub fn get(&self, at: usize) -> u32 {
        match self {
            Self::U8(numbers) => Narrow::U8(numbers).get(at),
            Self::U16(numbers) => Narrow::U16(numbers).get(at),
            Self::U32(numbers) => Narrow::U32(numbers).get(at),
        }
    }

    /// Puts other numbers in their places, none of them greater than the greatest was.
    pub fn rename(&mut self, name: impl Fn(u32) -> u32) {
        match self {
            Self::U8(numbers) => numbers.iter_mut().for_each(|number| *number = name((*number).into()) as u8),
            Self::U16(numbers) => {
                numbers.iter_mut().for_each(|number| *number = name((*number).into()) as u16)
            }
            Self::U32(numbers) => numbers.iter_mut().for_each(|number| *number = name(*number)),
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(numbers) => numbers.len(),
            Self::U16(numbers) => numbers.len(),
            Self::U32(numbers) => numbers.len(),
        }
    }

    /// Bytes of a number.
    pub fn width(&self) -> usize {
        match self {
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) => 4,
        }
    }

    /// Writes the column as a block, or as one number when all are alike.
    pub fn write<S: Sink>(&self, out: &mut FileWriter<S>, tag: Tag, value: u32) {
        match self {
            Self::U8(numbers) => write(out, tag, value, numbers),
            Self::U16(numbers) => write(out, tag, value, numbers),
            Self::U32(numbers) => write(out, tag, value, numbers),
        }
    }

    /// Writes the column as a block of at least 16 bits.
    pub fn write_wide<S: Sink>(&self, out: &mut FileWriter<S>, tag: Tag) {
        match self {
            Self::U8(numbers) => out.numbers(tag, 0, numbers.iter().map(|&number| u16::from(number))),
            Self::U16(numbers) => out.block(tag, 0, numbers),
            Self::U32(numbers) => out.block(tag, 0, numbers),
        }
    }
}

fn write<T, S: Sink>(out: &mut FileWriter<S>, tag: Tag, value: u32, numbers: &[T])
where
    T: bytemuck::NoUninit + Copy + PartialEq + Into<u32>,
{
    match numbers.first() {
        None => {}
        Some(&first) if numbers.iter().all(|&number| number == first) => out.constant(tag, first.into()),
        Some(_) => out.block(tag, value, numbers),
    }
}
