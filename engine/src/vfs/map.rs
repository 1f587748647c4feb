//! Mapped memory, and the only unsafe code of Hitstone.
//!
//! [`Bytes`] are read-only bytes, mapped or on the heap. A [`Scratch`] is a preallocated writable region, mapped or
//! on the heap, from which columns are carved: each has one writer, an [`AppendColumn`], and any number of readers,
//! [`ColumnReader`].
//!
//! Invariants:
//! - Every [`Bytes`] and every column starts at a multiple of [`ALIGNMENT`].
//! - Columns of a scratch never overlap, and lie inside its region.
//! - A column's writer alone writes, and only to elements that are not published. A published element never changes.
//! - References are made to published elements only. To the rest of a region there are only raw pointers.
//! - A region lives as long as any column or reader of it.
//!
//! It knows nothing of folders, events or formats.
#![allow(unsafe_code, reason = "memory maps need it; it is kept in this one module")]

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::{Pod, Zeroable};

use crate::error::StorageError;

/// Where bytes and columns start: at multiples of this many bytes, a cache line.
pub const ALIGNMENT: usize = 64;

/// The unit of aligned heap memory.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Block([u8; ALIGNMENT]);

/// Read-only bytes, cheap to clone, aligned to [`ALIGNMENT`]: a mapped file or memory of the heap.
#[derive(Clone)]
pub struct Bytes(Arc<Source>);

enum Source {
    Mapped(memmap2::Mmap),
    Heap { blocks: Vec<Block>, len: usize },
}

impl Bytes {
    /// Bytes on the heap, copied so that they are aligned.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self::copy_of(&bytes)
    }

    /// A copy of `bytes` on the heap.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut blocks = vec![Block::zeroed(); bytes.len().div_ceil(ALIGNMENT)];
        bytemuck::cast_slice_mut::<Block, u8>(&mut blocks)[..bytes.len()].copy_from_slice(bytes);
        Self(Arc::new(Source::Heap { blocks, len: bytes.len() }))
    }

    /// Maps all of `file` as it is now. The file must be one that is never truncated or overwritten from here on,
    /// which is what [`crate::vfs`] demands of every mapped file.
    pub(super) fn map(file: &std::fs::File) -> std::io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self::copy_of(&[]));
        }
        // SAFETY: a map is unsound when its file is changed or cut under it. Hitstone's mapped files are only ever
        // unlinked (contract of `vfs`), and the folder's lock keeps other Hitstone processes out. Other programs
        // have no business writing to the data folder.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Self(Arc::new(Source::Mapped(map))))
    }

    /// Says that pieces of them are going to be read, each announced by [`Self::fetch`]: the system need not read what lies
    /// around a piece, which may be megabytes.
    pub fn read_in_pieces(&self) {
        #[cfg(unix)]
        if let Source::Mapped(map) = &*self.0 {
            // Without it more is read than is needed.
            let _ = map.advise(memmap2::Advice::Random);
        }
    }

    /// Says that a piece is going to be read.
    pub fn fetch(&self, piece: Range<usize>) {
        #[cfg(unix)]
        if let Source::Mapped(map) = &*self.0 {
            // Without it each page is fetched when it is read.
            let _ = map.advise_range(memmap2::Advice::WillNeed, piece.start, piece.len());
        }
        #[cfg(not(unix))]
        let _ = piece;
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Source::Mapped(map) => map,
            Source::Heap { blocks, len } => &bytemuck::cast_slice(blocks)[..*len],
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

/// Memory that columns lie in. It hands out no reference to itself, only its address; it unmaps when dropped.
struct Region {
    base: NonNull<u8>,
    len: usize,
    _map: memmap2::MmapRaw,
}

// SAFETY: a region is an address range that it alone owns; nothing in it is bound to a thread, and it gives no
// access by itself. Access goes through columns, which carry their own proofs.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    fn mapped(map: memmap2::MmapRaw) -> Option<Self> {
        let base = NonNull::new(map.as_mut_ptr())?;
        Some(Self { base, len: map.len(), _map: map })
    }
}

/// A preallocated, writable region from which columns are carved.
pub struct Scratch {
    path: PathBuf,
    region: Arc<Region>,
    used_bytes: usize,
    /// It was used before, so that it is not all zero.
    rewound: bool,
}

impl Scratch {
    /// The bytes that a column of `capacity` elements takes from a scratch. Add these up for
    /// [`crate::vfs::Fs::scratch`].
    pub const fn column_bytes<T: Pod>(capacity: usize) -> usize {
        let bytes = capacity.saturating_mul(size_of::<T>());
        match bytes.checked_next_multiple_of(ALIGNMENT) {
            Some(rounded) => rounded,
            None => usize::MAX,
        }
    }

    /// Maps `file`, whose space must be reserved, for writing.
    pub(super) fn map(path: &Path, file: &std::fs::File) -> std::io::Result<Self> {
        let map = memmap2::MmapRaw::map_raw(file)?;
        let region = Region::mapped(map).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Self::over(path, region))
    }

    /// A scratch in memory, for file systems that have no maps. `path` is what its errors name.
    ///
    /// # Errors
    /// The system's error when there is not so much memory.
    pub fn in_memory(path: &Path, len: usize) -> std::io::Result<Self> {
        let map = memmap2::MmapMut::map_anon(len.max(1))?;
        let region = Region::mapped(map.into()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Self::over(path, region))
    }

    fn over(path: &Path, region: Region) -> Self {
        Self { path: path.to_path_buf(), region: Arc::new(region), used_bytes: 0, rewound: false }
    }

    /// The region anew, for other columns, when all that were carved from it and their readers are gone.
    pub fn rewind(mut self) -> Option<Self> {
        Arc::get_mut(&mut self.region)?;
        (self.used_bytes, self.rewound) = (0, true);
        Some(self)
    }

    /// Bytes that no column has taken yet.
    pub fn bytes_left(&self) -> usize {
        self.region.len - self.used_bytes
    }

    /// Carves an empty column of `capacity` elements.
    ///
    /// # Errors
    /// [`StorageError::Io`] with `StorageFull` when less than [`Scratch::column_bytes`] is left.
    pub fn column<T: Pod + Send + Sync>(&mut self, capacity: usize) -> Result<AppendColumn<T>, StorageError> {
        const { assert!(align_of::<T>() <= ALIGNMENT, "columns are aligned to cache lines") };
        let bytes = Self::column_bytes::<T>(capacity);
        if bytes > self.bytes_left() {
            return Err(self.used_up(bytes));
        }
        // SAFETY: `used_bytes + bytes <= region.len`, so the address lies in the region or just past its end.
        let start = unsafe { self.region.base.add(self.used_bytes) }.cast::<T>();
        self.used_bytes += bytes;
        let published = AtomicUsize::new(0);
        let shared = Column { start, capacity, published, _region: Arc::clone(&self.region) };
        Ok(AppendColumn { shared: Arc::new(shared), len: 0 })
    }

    /// Carves `len` elements, all zero, that one owner reads and changes at will.
    ///
    /// # Errors
    /// As [`Scratch::column`].
    pub fn table<T: Pod + Send + Sync>(&mut self, len: usize) -> Result<Table<T>, StorageError> {
        let column = self.column::<T>(len)?;
        let (start, _region) = (column.shared.start, Arc::clone(&column.shared._region));
        if self.rewound {
            // SAFETY: the column has room for `len` elements, gave out no reader and is about to go, so nobody else
            // knows the range. All bits zero are a T (Pod).
            unsafe { std::ptr::write_bytes(start.as_ptr(), 0, len) };
        }
        Ok(Table { start, len, _region })
    }

    fn used_up(&self, bytes: usize) -> StorageError {
        let left = self.bytes_left();
        StorageError::Io {
            op: "carve a column from",
            path: self.path.clone(),
            kind: std::io::ErrorKind::StorageFull,
            message: format!("{bytes} bytes wanted, {left} left"),
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scratch({}, {} of {} bytes)", self.path.display(), self.used_bytes, self.region.len)
    }
}

/// What a column's writer and readers share.
struct Column<T> {
    start: NonNull<T>,
    capacity: usize,
    /// Elements that readers may see. Only the writer changes it, and only upwards.
    published: AtomicUsize,
    /// Keeps the memory behind `start`.
    _region: Arc<Region>,
}

// SAFETY: the column is an address range of its own in a region that it keeps alive. Threads meet there only as the
// module head says: one writer beyond `published`, readers before it, ordered by Release and Acquire. Elements cross
// threads by value and by reference, hence the bounds.
unsafe impl<T: Send + Sync> Send for Column<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Column<T> {}

impl<T: Pod> Column<T> {
    /// The first `len` elements, or all that are published when these are fewer.
    fn slice(&self, len: usize) -> &[T] {
        let len = len.min(self.published.load(Ordering::Acquire));
        // SAFETY: `start` is aligned for T (columns start at multiples of ALIGNMENT, which `Scratch::column` checks
        // to be enough) and followed by `capacity >= len` elements of the region, which lives as long as `self`.
        // Elements before `published` were written before the Release store that this Acquire load saw, and are
        // never written again, so a shared reference to them is sound. Any bit pattern is a T (Pod).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), len) }
    }
}

/// Elements of a scratch that have one owner and no other readers.
pub struct Table<T> {
    start: NonNull<T>,
    len: usize,
    /// Keeps the memory behind `start`.
    _region: Arc<Region>,
}

// SAFETY: the table is an address range of its own in a region that it keeps alive (the column it was carved as is gone,
// and gave out no reader), so it is as good as a `Box<[T]>`.
unsafe impl<T: Send> Send for Table<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Sync> Sync for Table<T> {}

impl<T: Pod> Deref for Table<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `start` is aligned for T and followed by `len` elements of the region, which lives as long as `self`.
        // A region is zero when it is made, tables are when they are carved anew, and any bit pattern is a T (Pod). Nobody writes but through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Pod> DerefMut for Table<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` of the only owner rules out any other reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

/// The column is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the column is full")]
pub struct Full;

/// The one writer of a column. What it appends is visible to readers at once and never changes.
pub struct AppendColumn<T> {
    shared: Arc<Column<T>>,
    /// Equal to `shared.published`, without the atomic.
    len: usize,
}

impl<T: Pod> AppendColumn<T> {
    /// Appends one element.
    ///
    /// # Errors
    /// [`Full`] when there is no room.
    pub fn push(&mut self, value: T) -> Result<(), Full> {
        self.extend(&[value])
    }

    /// Appends all of `values`, or nothing.
    ///
    /// # Errors
    /// [`Full`] when there is not room for all of them.
    pub fn extend(&mut self, values: &[T]) -> Result<(), Full> {
        if values.len() > self.shared.capacity - self.len {
            return Err(Full);
        }
        // SAFETY: elements `len..len + values.len()` are inside the column's range. They are not published, so no
        // reference to them exists, and `&mut self` of the only writer rules out another write. `values` cannot
        // overlap them: references into the column end at `published`, which is `len`.
        unsafe {
            let end = self.shared.start.as_ptr().add(self.len);
            std::ptr::copy_nonoverlapping(values.as_ptr(), end, values.len());
        }
        self.len += values.len();
        self.shared.published.store(self.len, Ordering::Release);
        Ok(())
    }

    /// Elements appended.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements that fit in all.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// The element at `index`, if it was appended.
    pub fn get(&self, index: usize) -> Option<T> {
        self.as_slice().get(index).copied()
    }

    /// Everything appended.
    pub fn as_slice(&self) -> &[T] {
        self.shared.slice(self.len)
    }

    /// A reader of the column, which sees also what is appended later.
    pub fn reader(&self) -> ColumnReader<T> {
        ColumnReader { shared: Arc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for AppendColumn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppendColumn({} of {})", self.len, self.shared.capacity)
    }
}

/// A reader of a column, on any thread.
pub struct ColumnReader<T> {
    shared: Arc<Column<T>>,
}

impl<T: Pod> ColumnReader<T> {
    /// The first `len` elements, or all that are published when these are fewer.
    pub fn slice(&self, len: usize) -> &[T] {
        self.shared.slice(len)
    }

    /// Elements published so far.
    pub fn published(&self) -> usize {
        self.shared.published.load(Ordering::Acquire)
    }
}

impl<T> Clone for ColumnReader<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for ColumnReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ColumnReader({})", self.shared.published.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_aligned_whatever_their_length() {
        for len in [0, 1, 8, 63, 64, 65, 4096] {
            let bytes = Bytes::from_vec((0..len).map(|i| i as u8).collect());
            assert_eq!(bytes.len(), len);
            assert_eq!(bytes.as_ptr() as usize % ALIGNMENT, 0);
            assert!(bytes.iter().enumerate().all(|(i, &byte)| byte == i as u8));
            assert_eq!(
                bytemuck::try_cast_slice::<u8, u64>(&bytes[..len / 8 * 8]).map(<[u64]>::len),
                Ok(len / 8)
            );
        }
    }

    #[test]
    fn columns_are_aligned_disjoint_and_bounded() {
        let bytes = Scratch::column_bytes::<u8>(3) + Scratch::column_bytes::<u64>(9);
        assert_eq!(bytes, 64 + 128);
        let mut scratch = Scratch::in_memory(Path::new("s"), bytes).unwrap();
        let mut small = scratch.column::<u8>(3).unwrap();
        let mut wide = scratch.column::<u64>(9).unwrap();
        assert!(matches!(scratch.column::<u8>(1), Err(StorageError::Io { .. })));
        assert!(scratch.column::<u64>(usize::MAX).is_err());
        assert!(scratch.column::<u8>(0).is_ok());
        drop(scratch);
        small.extend(&[1, 2, 3]).unwrap();
        assert_eq!(small.push(4), Err(Full));
        wide.push(u64::MAX).unwrap();
        assert_eq!(wide.extend(&[0; 9]), Err(Full));
        assert_eq!(wide.len(), 1, "an extension that does not fit appends nothing");
        wide.extend(&[7; 8]).unwrap();
        assert_eq!(small.as_slice(), [1, 2, 3]);
        assert_eq!((wide.get(0), wide.get(8), wide.get(9)), (Some(u64::MAX), Some(7), None));
        assert_eq!(wide.as_slice().as_ptr() as usize % ALIGNMENT, 0);
    }

    #[test]
    fn a_scratch_is_used_again_when_nobody_uses_it() {
        let mut scratch = Scratch::in_memory(Path::new("s"), 128).unwrap();
        let mut column = scratch.column::<u64>(8).unwrap();
        column.extend(&[7; 8]).unwrap();
        let reader = column.reader();
        drop(column);
        assert!(scratch.rewind().is_none(), "somebody reads");
        assert_eq!(reader.slice(8), [7; 8]);

        let mut scratch = Scratch::in_memory(Path::new("s"), 128).unwrap();
        scratch.column::<u64>(8).unwrap().extend(&[7; 8]).unwrap();
        let mut scratch = scratch.rewind().unwrap();
        assert_eq!(*scratch.table::<u64>(8).unwrap(), [0; 8]);
        let mut scratch = scratch.rewind().unwrap();
        let mut column = scratch.column::<u8>(9).unwrap();
        assert!(column.as_slice().is_empty());
        column.push(1).unwrap();
        assert_eq!((column.as_slice(), scratch.bytes_left()), (&[1][..], 64));
    }

    #[test]
    fn a_table_is_zero_and_outlives_its_scratch() {
        let mut scratch = Scratch::in_memory(Path::new("s"), 192).unwrap();
        let mut table = scratch.table::<u64>(8).unwrap();
        let mut column = scratch.column::<u64>(8).unwrap();
        assert!(scratch.table::<u64>(9).is_err());
        drop(scratch);
        column.push(u64::MAX).unwrap();
        assert_eq!(*table, [0; 8]);
        table[7] = 3;
        table.swap(0, 7);
        assert_eq!((table[0], table.iter().sum::<u64>(), column.as_slice()), (3, 3, &[u64::MAX][..]));
    }

    #[test]
    fn a_reader_outlives_writer_and_scratch() {
        let mut scratch = Scratch::in_memory(Path::new("s"), 64).unwrap();
        let mut column = scratch.column::<u32>(16).unwrap();
        let reader = column.reader();
        assert_eq!(reader.slice(5), [0u32; 0]);
        column.extend(&[5, 6, 7]).unwrap();
        drop(scratch);
        drop(column);
        assert_eq!(reader.slice(2), [5, 6]);
        assert_eq!(reader.clone().slice(usize::MAX), [5, 6, 7]);
    }

    #[test]
    fn readers_on_other_threads_see_whole_elements_in_order() {
        const COUNT: u64 = 20_000;
        let mut scratch =
            Scratch::in_memory(Path::new("s"), Scratch::column_bytes::<[u64; 2]>(COUNT as usize)).unwrap();
        let mut column = scratch.column::<[u64; 2]>(COUNT as usize).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let reader = column.reader();
                scope.spawn(move || {
                    let mut checked = 0;
                    while checked < COUNT as usize {
                        let published = reader.slice(usize::MAX);
                        assert!(published.len() >= checked);
                        for (i, pair) in published.iter().enumerate().skip(checked) {
                            assert_eq!(*pair, [i as u64, !(i as u64)]);
                        }
                        checked = published.len();
                    }
                });
            }
            for i in 0..COUNT {
                column.push([i, !i]).unwrap();
            }
        });
    }
}
