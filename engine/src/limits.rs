//! Every bound of the engine, in one place.

/// Rows that a session holds at most; the next event opens a new one.
pub const SESSION_ROWS_MAX: usize = 65_536;
/// The greatest number that a session gets where the visitor's others of the day are known. Those beyond are for days
/// whose sessions are in a file that cannot be read.
pub const SESSION_NUMBER_MAX: u16 = 0xefff;
/// So many numbers beyond it are given to a visitor on a day, at most, until a file is written anew: damage may come again.
pub const SESSION_NUMBERS_UNSEEN: u16 = 64;
/// How long after an event that opened its session a page view may be the one that the event stood for.
pub const ASSUMED_MS_MAX: i64 = 10_000;
/// Rows of a session in which such a page view is looked for: it is written anew, whole.
pub const ASSUMED_ROWS_MAX: usize = 64;
/// Bytes of row texts of such a session.
pub const ASSUMED_TEXT_BYTES_MAX: usize = 256 << 10;
/// Bytes of row texts that a session holds at most; the next event opens a new one. Bounds what a move writes.
pub const SESSION_TEXT_BYTES_MAX: usize = 4 << 20;
/// A session lasts less than this.
pub const SESSION_LENGTH_MS_MAX: i64 = 86_400_000;

/// How long one of an import may last: rows carry the time since their session's start in 32 bits of milliseconds.
pub const SESSION_SPAN_MS_MAX: i64 = u32::MAX as i64;
/// Events in one batch.
pub const BATCH_EVENTS_MAX: usize = 10_000;
/// Bytes of texts in one batch.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Batches that wait for the writer; more are refused.
pub const QUEUE_BATCHES_MAX: usize = 4_096;
/// Bytes of batches that wait for the writer; more are refused.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Bytes of one log frame's payload.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// Bytes that wait for one write to the log, beside one batch more.
pub const GROUP_BYTES_MAX: usize = 16 << 20;
/// Bytes of a log at which its open segment is sealed, however little of them is new to it.
pub const LOG_BYTES_MAX: u64 = 256 << 20;
/// Rows of the open segment at which it is sealed; rows that were moved to it count half.
pub const SEAL_ROWS: usize = 1 << 18;

/// Bytes of distinct strings that the open segment holds; it is sealed at half of them.
pub const OPEN_TEXT_BYTES_MAX: usize = 64 << 20;

/// Rows of a segment that an import writes.
pub const IMPORT_SEGMENT_ROWS: usize = 1 << 18;
/// Sessions of a segment that an import writes.
pub const IMPORT_SEGMENT_SESSIONS: usize = 1 << 17;
/// Distinct strings of a segment that an import writes.
pub const IMPORT_SEGMENT_TEXTS: usize = 1 << 18;
/// Bytes of texts in a row of an import.
pub const IMPORT_ROW_BYTES_MAX: usize = 1 << 20;
/// Segments that one import writes at most.
pub const IMPORT_SEGMENTS_MAX: u64 = 1 << 20;
/// From so many visitors on that have been found to recur their earlier sessions are marked.
pub const IMPORT_MARKS_MAX: usize = 1 << 16;

/// Groups that a query may count; it is refused beyond. A group costs some hundred bytes while the query runs.
pub const GROUPS_MAX: usize = 5_000_000;

/// Bytes of columns that were read from Parquet files and are kept for the next query.
pub const COLUMN_CACHE_BYTES: usize = 128 << 20;

/// Ids that an item of a batch has.
pub const ITEM_IDS_MAX: usize = 2;
/// An event's id is remembered for so many hours after the one in which it arrived.
pub const EVENT_ID_HOURS: u32 = 48;
/// Event ids that are remembered, unless set otherwise; beyond it the oldest hour goes.
pub const EVENT_IDS_MAX: u64 = 50_000_000;
/// Event ids of the open log at which it is sealed: they are held in memory until then.
pub const OPEN_IDS_MAX: usize = 1 << 20;
/// Positions of followed files that are remembered; beyond it the one that was used longest ago goes.
pub const POSITIONS_MAX: usize = 10_000;
/// Event ids that files of one hour are merged up to.
pub const ID_FILE_IDS_MAX: usize = 1 << 22;

const _: () = assert!(OPEN_IDS_MAX + ITEM_IDS_MAX * BATCH_EVENTS_MAX < ID_FILE_IDS_MAX);
const _: () = assert!(
    BATCH_BYTES_MAX + SESSION_TEXT_BYTES_MAX + 16 * ITEM_IDS_MAX * BATCH_EVENTS_MAX < FRAME_BYTES_MAX
);
const _: () = assert!(OPEN_TEXT_BYTES_MAX / 2 > BATCH_BYTES_MAX + SESSION_TEXT_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX + SESSION_TEXT_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(SESSION_ROWS_MAX <= SEAL_ROWS);
