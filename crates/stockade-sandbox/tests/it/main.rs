//! End-to-end tests with real processes. The supervisor's executable, and the gateway where it has to be killed, is
//! `sandbox-stand-in`.

#[cfg(test)]
mod end;
#[cfg(test)]
mod inheritance;
#[cfg(test)]
mod program;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
