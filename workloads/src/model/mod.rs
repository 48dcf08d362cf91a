//! Sequential specifications: what an object does when operations come one at a time.
