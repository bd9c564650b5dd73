//! Promises of the road that need more than one of its parts.

#[cfg(test)]
mod frames;
#[cfg(test)]
mod road;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod schemas;
