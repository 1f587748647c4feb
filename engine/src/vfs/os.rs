//! stub
/// stub
pub struct OsFs;
