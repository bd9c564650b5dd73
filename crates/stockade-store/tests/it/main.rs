//! The promises of the store, seen from outside.

#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod events;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod root_keys;
#[cfg(test)]
mod seals;
#[cfg(test)]
mod support;
#[cfg(test)]
mod replay;
