//! The table of the operations that show what is wrong.

use maud::{Markup, html};
use workloads::checker::CounterexampleOperation;
use workloads::moments;

use crate::report::html::lanes;

/// What a table says of each operation besides what it was, by its position.
pub(super) type Place<'a> = &'a dyn Fn(usize) -> Markup;

/// One row for each operation; `place` tells of its place in the order that makes sense, if there is one.
pub(super) fn operation_table(
    operations: &[CounterexampleOperation],
    place: Option<Place<'_>>,
) -> Markup {
    let decimals = lanes::decimals(operations);
    let moment = |time| moments::text(time, decimals);
    html! {
        table.stack.steps {
            thead { tr {
                th { "Name" } th { "Operation" } th { "Process" } th { "Node" } th { "Invoked" }
                th { "Completed" }
                @if place.is_some() { th { "Order that makes sense" } }
            } }
            tbody {
                @for (position, operation) in operations.iter().enumerate() {
                    tr {
                        th scope="row" { (operation.label) }
                        td data-label="Operation" { (operation.text) }
                        td data-label="Process" { (operation.process) }
                        td data-label="Node" { (operation.node.as_deref().unwrap_or("–")) }
                        td.time data-label="Invoked" { (moment(operation.invoke_time)) }
                        td.time data-label="Completed" { @match operation.complete_time {
                            Some(time) => (moment(time)),
                            None => "never surely",
                        } }
                        @if let Some(place) = place { td data-label="Order" { (place(position)) } }
                    }
                }
            }
        }
    }
}
