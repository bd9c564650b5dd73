//! Cedar policies: load, check, decide, explain. Pure.
