//! The benchmark of Stockade: the same load directly, through a bare proxy, and through every guard.
//!
//! What it is for: one command that measures on this machine what the road costs, against a limit measured in the same run.
//! What it must never do: hide an error. A cell in which one answer was wrong is reported as failed, with the first error's text.
//! Where it sits: outside the road. It is not shipped, no crate depends on it, and it talks to Stockade only as a client would.
//!
//! The upstream, the proxy and the load generator are separate processes of one binary, so that the CPU time the kernel
//! accounts to a process is the CPU time of one part.

pub mod machine;
pub mod measure;
pub mod payload;
pub mod plan;
pub mod process;
pub mod render;
pub mod report;
pub mod scan;

pub mod proxy;
pub mod serve;
pub mod upstream;

pub mod histogram;
pub mod idle;
pub mod load;
pub mod session;
pub mod wire;
