//! The promises of the record, seen from outside.

#[cfg(test)]
mod killed;
#[cfg(test)]
mod load;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tampering;
