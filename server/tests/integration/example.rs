//! The example of the documentation runs, and ends well.

#[path = "../../examples/five_nodes.rs"]
mod five_nodes;

#[test]
fn five_nodes_in_one_process() {
    five_nodes::main().unwrap();
}
