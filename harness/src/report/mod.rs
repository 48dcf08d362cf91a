//! What people read: results, the terminal summary, JUnit and `report.html`.

pub mod results;
