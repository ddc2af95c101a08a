//! (to be written)
pub struct Hash;
