//! How long the turn is this instance's: what was granted, and what is asked for.
//!
//! Every write renews the lease for as long as the settings say. A call of a tool may need it for longer: then it
//! asks for that ([`Lease::longer`]) before it is made, and no renewal shortens the lease again while the call may
//! still take effect. So whatever a call is told to be its last moment lies within the lease, whoever renews it
//! meanwhile, and nobody else has the turn before that moment has passed.

use std::cell::{Cell, RefCell};

/// A lease that is held. Times are in milliseconds.
pub(crate) struct Lease {
    /// For how long it is renewed as a rule.
    usual: u64,
    /// For how long calls that are under way need it.
    needed: RefCell<Vec<u64>>,
    /// For how long it was renewed last.
    granted: Cell<u64>,
    /// When that was, by this instance's clock.
    renewed: Cell<u64>,
    /// The last moment at which it is held, by the store's clock; 0 if that is not known.
    until: Cell<u64>,
}

/// A need for a longer lease, for as long as this lives.
pub(crate) struct Longer<'a> {
    lease: &'a Lease,
    needs: u64,
}

impl Lease {
    /// A lease that was acquired at `now` for the usual time.
    pub(super) fn new(usual: u64, now: u64, until: u64) -> Lease {
        Lease {
            usual,
            needed: RefCell::default(),
            granted: Cell::new(usual),
            renewed: Cell::new(now),
            until: Cell::new(until),
        }
    }

    /// For how long it is renewed as a rule.
    pub(crate) fn usual(&self) -> u64 {
        self.usual
    }

    /// How long it lasts from its last renewal on.
    pub(crate) fn granted(&self) -> u64 {
        self.granted.get()
    }

    /// From the next renewal on it is asked for at least so long, until what this returns is dropped.
    pub(crate) fn longer(&self, needs: u64) -> Longer<'_> {
        self.needed.borrow_mut().push(needs);
        Longer { lease: self, needs }
    }

    /// For how long the next renewal asks.
    pub(super) fn asked(&self) -> u64 {
        let needed = self.needed.borrow().iter().copied().max();
        needed.unwrap_or_default().max(self.usual)
    }

    /// It was renewed for `granted`, by a write that began at `now`.
    pub(super) fn renewed(&self, granted: u64, now: u64, until: u64) {
        self.granted.set(granted);
        self.renewed.set(now);
        self.until.set(until);
    }

    /// The last moment at which it is held, by the store's clock; 0 if that is not known.
    pub(super) fn until(&self) -> u64 {
        self.until.get()
    }

    /// Whether it is held, as far as this instance's clock tells.
    pub(super) fn is_held(&self, now: u64) -> bool {
        now < self.renewed.get().saturating_add(self.granted.get())
    }

    /// Whether what begins now should not be held to its end: little is left, or less than is needed, or it is not
    /// known how much.
    pub(super) fn is_short(&self, now: u64) -> bool {
        let age = now.saturating_sub(self.renewed.get());
        age > self.granted.get() / 3 || self.granted.get() < self.asked() || self.until.get() == 0
    }

    /// How long from now it is to be renewed: when a third of it has passed.
    pub(super) fn renew_in(&self, now: u64) -> u64 {
        let third = (self.granted.get().min(self.asked()) / 3).max(1);
        third.saturating_sub(now.saturating_sub(self.renewed.get()))
    }
}

impl Drop for Longer<'_> {
    fn drop(&mut self) {
        let mut needed = self.lease.needed.borrow_mut();
        if let Some(place) = needed.iter().position(|needs| *needs == self.needs) {
            needed.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_never_shortens_what_a_call_needs() {
        let lease = Lease::new(5_000, 0, 5_000);
        assert_eq!((lease.asked(), lease.is_short(1_000)), (5_000, false));
        let one = lease.longer(20_000);
        let other = lease.longer(60_000);
        assert_eq!((lease.asked(), lease.is_short(1_000)), (60_000, true));
        lease.renewed(60_000, 1_000, 61_000);
        assert!(!lease.is_short(2_000) && lease.is_held(60_999) && !lease.is_held(61_000));
        drop(other);
        assert_eq!((lease.asked(), lease.granted()), (20_000, 60_000));
        drop(one);
        // It is as short as usual again soon.
        assert_eq!((lease.asked(), lease.renew_in(2_500)), (5_000, 166));
        lease.renewed(lease.asked(), 3_000, 8_000);
        assert_eq!((lease.granted(), lease.until()), (5_000, 8_000));
    }

    #[test]
    fn a_lease_is_renewed_when_a_third_of_it_has_passed() {
        let lease = Lease::new(3_000, 100, 3_100);
        assert_eq!((lease.renew_in(100), lease.renew_in(600)), (1_000, 500));
        assert_eq!((lease.renew_in(1_100), lease.renew_in(9_000)), (0, 0));
        assert!(!lease.is_short(1_100) && lease.is_short(1_101));
    }
}
