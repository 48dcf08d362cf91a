//! Keys in order.

use std::ops::{Bound, RangeBounds};

use bytes::Bytes;

use super::attempts::Repeat;
use super::error::ClientError;
use super::kv::Client;
use super::types::{Header, KeyValue, header};
use crate::kv::{self, ReadMode, ScanRequest};

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// All keys that begin so; an empty prefix is every key.
    Prefix(Bytes),
    /// The keys between two bounds, in the order of bytes.
    Range(Bound<Bytes>, Bound<Bytes>),
}

/// A page of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where and when.
    pub header: Header,
    /// Keys and what they hold, in order.
    pub found: Vec<(Bytes, KeyValue)>,
    /// Are there more keys behind the last one?
    pub more: bool,
}

impl Keys {
    /// Every key.
    pub fn all() -> Keys {
        Keys::Prefix(Bytes::new())
    }

    /// All keys that begin so.
    pub fn prefix(prefix: impl Into<Bytes>) -> Keys {
        Keys::Prefix(prefix.into())
    }

    /// The keys of a range, such as `Bytes::from("a")..Bytes::from("c")`.
    pub fn range(range: impl RangeBounds<Bytes>) -> Keys {
        Keys::Range(range.start_bound().cloned(), range.end_bound().cloned())
    }

    pub(super) fn into_wire(self) -> (Option<kv::KeyRange>, Option<Bytes>) {
        match self {
            Keys::Prefix(prefix) => (None, Some(prefix)),
            Keys::Range(start, end) => {
                (Some(kv::KeyRange { start: bound(start), end: bound(end) }), None)
            }
        }
    }

    /// Those of these keys that lie behind `last`.
    fn behind(self, last: Bytes) -> Keys {
        let end = match self {
            Keys::Prefix(prefix) => end_of_prefix(&prefix),
            Keys::Range(_, end) => end,
        };
        Keys::Range(Bound::Excluded(last), end)
    }
}

fn bound(bound: Bound<Bytes>) -> Option<kv::Bound> {
    match bound {
        Bound::Included(key) => Some(kv::Bound { key, exclusive: false }),
        Bound::Excluded(key) => Some(kv::Bound { key, exclusive: true }),
        Bound::Unbounded => None,
    }
}

/// The first key behind all that begin so.
fn end_of_prefix(prefix: &[u8]) -> Bound<Bytes> {
    match prefix.iter().rposition(|byte| *byte != u8::MAX) {
        None => Bound::Unbounded,
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bound::Excluded(end.into())
        }
    }
}

/// Reads page after page. Each page is read at its own revision.
#[derive(Debug)]
pub struct Scan<'a> {
    client: &'a mut Client,
    rest: Option<Keys>,
    page_keys: u32,
    mode: ReadMode,
}

impl Scan<'_> {
    /// Keys of a page; by default as many as the server puts into one.
    #[must_use]
    pub fn page_keys(mut self, keys: u32) -> Self {
        self.page_keys = keys;
        self
    }

    /// How fresh the answers must be; linearizable by default.
    #[must_use]
    pub fn mode(mut self, mode: ReadMode) -> Self {
        self.mode = mode;
        self
    }

    /// The next page; none after the last one.
    pub async fn next_page(&mut self) -> Result<Option<Page>, ClientError> {
        let Some(keys) = self.rest.take() else { return Ok(None) };
        let result = self.client.scan_page(keys.clone(), self.page_keys, self.mode).await;
        match result {
            Ok(page) => {
                self.rest = match page.found.last() {
                    Some((last, _)) if page.more => Some(keys.behind(last.clone())),
                    _ => None,
                };
                Ok(Some(page))
            }
            Err(error) => {
                // The same page can be asked for again.
                self.rest = Some(keys);
                Err(error)
            }
        }
    }

    /// Everything that is left, over all pages.
    pub async fn collect(mut self) -> Result<Vec<(Bytes, KeyValue)>, ClientError> {
        let mut all = Vec::new();
        while let Some(page) = self.next_page().await? {
            all.extend(page.found);
        }
        Ok(all)
    }
}

impl Client {
    /// Reads keys in order, page by page.
    pub fn scan(&mut self, keys: Keys) -> Scan<'_> {
        Scan { client: self, rest: Some(keys), page_keys: 0, mode: ReadMode::Linearizable }
    }

    /// Reads one page of at most `limit` keys; 0: as many as the server puts into one.
    pub async fn scan_page(
        &mut self,
        keys: Keys,
        limit: u32,
        mode: ReadMode,
    ) -> Result<Page, ClientError> {
        let context = self.read_context();
        let (range, prefix) = keys.into_wire();
        let message = ScanRequest { context, range, prefix, limit, mode: mode.into() };
        let response = self.ask(Repeat::Read, message).await?;
        Ok(Page {
            header: header(response.header),
            found: response.found.into_iter().map(|it| (it.key.clone(), it.into())).collect(),
            more: response.more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_prefix_ends_with_the_prefix() {
        let behind = |prefix: &'static [u8]| {
            Keys::prefix(prefix).behind(Bytes::from_static(b"last")).into_wire().0
        };
        let end = |prefix| behind(prefix).and_then(|range| range.end);
        assert_eq!(end(b"ab"), bound(Bound::Excluded("ac".into())));
        assert_eq!(end(b"a\xff"), bound(Bound::Excluded("b".into())));
        assert_eq!(end(b"\xff\xff"), None);
        assert_eq!(end(b""), None);
        let start = behind(b"ab").and_then(|range| range.start);
        assert_eq!(start, bound(Bound::Excluded("last".into())));
    }
}
