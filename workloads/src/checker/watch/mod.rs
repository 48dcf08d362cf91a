//! Watches: streams of changes, in the order of the store's revisions.
//!
//! ```text
//! operations ── streams ──> watches, writes ── changes ──> all changes, by revision
//!                               └── judge, alone (filter, order, bookmarks, previous values)
//!                               └── judge, against all changes (reliable, resumable)
//! ```
//!
//! A watch is one operation. It is invoked with `{"key":"a"}`, `{"prefix":"a"}` or neither, and with
//! `"from"`, the first revision that it asks for. Its result is a list of responses:
//!
//! ```text
//! {"events":[{"revision":5,"key":"a","value":1,"prev":0,"create":false}],"progress":5}
//! ```
//!
//! A deletion has `"deleted":true`. `prev` and `create` may be left out. `progress` is a bookmark: all
//! changes up to that revision have been delivered. Writes that say which revision they had (result
//! `{"revision":5}` of `put ["a",1]` and `delete "a"`) are changes too; other operations do not count.
//! What a watch of unknown outcome delivered, it delivered.
//!
//! The nine guarantees are those that etcd's robustness tests check (`tests/robustness/validate`):
//!
//! ```text
//! filter        nothing outside of the range, or before the first revision asked for
//! ordered       revisions never go down
//! unique        a change comes once
//! atomic        a revision is not split over two responses
//! bookmarkable  after a bookmark nothing comes that it covers
//! reliable      nothing is left out between the first change and the last, or the last bookmark
//! resumable     nothing is left out between the revision asked for and the first change
//! prev-kv       the previous value is that of the change before
//! is-create     a change creates its key if that was not there
//! ```

mod changes;
mod judge;
mod streams;

#[cfg(test)]
mod tests;

pub(super) use judge::check;
