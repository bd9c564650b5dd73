//! Whom a credential proves, with real keys and every port in the test's hand.

#[cfg(test)]
mod world;

#[cfg(test)]
mod tokens;
#[cfg(test)]
mod issuers;
#[cfg(test)]
mod key_sets;
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod callers;
