//! Histories in EDN, as Jepsen's tools write them.
//!
//! ```text
//! {:index 0, :time 0, :type :invoke, :process 0, :f :read, :value nil}     one map after the other,
//! [{:type :invoke, ...} {:type :ok, ...}]                                  or all in a vector or list
//! #jepsen.history.Op{:index 0, ...}                                        or tagged
//! ```
//!
//! Keywords and symbols become texts without their colon; vectors, lists and sets become lists (sets
//! in order of value); tags are passed over. A pair with the tag of an independent tuple, or every
//! value if the reader is told so, is a key and a value. Nothing is read into memory but one event.

mod bytes;
mod event;
mod value;
mod write;

pub use event::EdnReader;
pub(super) use value::value_of_text;
pub use write::EdnWriter;
