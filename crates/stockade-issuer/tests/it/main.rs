//! The promises of the authorization server, seen from outside: over a store in memory, and over the database.

#[cfg(test)]
mod authorize;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod ground;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod tokens;
