//! Whom this gateway asks and whom it believes.
