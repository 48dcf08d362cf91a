//! The model-checked world.
