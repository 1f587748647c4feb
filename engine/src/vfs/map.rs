//! stub
/// stub
pub struct AppendColumn<T>(std::marker::PhantomData<T>);
/// stub
pub struct ColumnReader<T>(std::marker::PhantomData<T>);
/// stub
pub struct Bytes;
/// stub
pub struct Scratch;
