//! The lanes of a trunk by their numbers. Found at once: a message goes through here on its way in and out.

use super::lane::Lane;
use crate::options::MAX_LANES;

/// At most [`MAX_LANES`] lanes. Each has a place, which is its number without the multiples of that.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    places: Vec<Option<Box<Lane>>>,
    count: usize,
}

fn place(id: u32) -> usize {
    usize::try_from(id).unwrap_or_default() % MAX_LANES
}

impl Lanes {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Lane> {
        let lane = self.places.get_mut(place(id))?.as_deref_mut()?;
        Some(lane).filter(|lane| lane.id() == id)
    }

    /// Whether a lane of this number has a place.
    pub(super) fn has_place(&self, id: u32) -> bool {
        self.places.get(place(id)).is_none_or(Option::is_none)
    }

    /// Puts a lane to its place, which is free.
    pub(super) fn insert(&mut self, lane: Lane) {
        let at = place(lane.id());
        if self.places.len() <= at {
            self.places.resize_with(at + 1, || None);
        }
        if let Some(free) = self.places.get_mut(at)
            && free.replace(Box::new(lane)).is_none()
        {
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        if self.get_mut(id).is_some()
            && let Some(taken) = self.places.get_mut(place(id))
        {
            *taken = None;
            self.count -= 1;
        }
    }

    /// The first number from `id` on that has a place. None: there are as many lanes as may be.
    pub(super) fn free_from(&self, id: u32) -> Option<u32> {
        (0..MAX_LANES)
            .filter_map(|more| u32::try_from(more).ok())
            .map(|more| id.wrapping_add(more))
            .find(|id| self.has_place(*id))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Desk;
    use super::*;

    const MAX: u32 = MAX_LANES as u32;

    fn lane(id: u32) -> Lane {
        Lane::new(id, &Arc::new(Desk::default())).0
    }

    #[test]
    fn a_lane_is_found_by_its_whole_number() {
        let mut lanes = Lanes::default();
        lanes.insert(lane(7));
        assert_eq!(lanes.get_mut(7).map(|lane| lane.id()), Some(7));
        for other in [0, 6, 8, 7 + MAX, u32::MAX] {
            assert!(lanes.get_mut(other).is_none());
            lanes.remove(other);
        }
        assert!(!lanes.has_place(7 + MAX) && lanes.has_place(8));
        lanes.remove(7);
        assert!(lanes.is_empty() && lanes.has_place(7));
    }

    #[test]
    fn numbers_go_on_and_round_as_long_as_there_are_places() {
        let mut lanes = Lanes::default();
        let mut next = u32::MAX - 1;
        for _ in 0..MAX_LANES {
            let id = lanes.free_from(next).unwrap();
            next = id.wrapping_add(1);
            lanes.insert(lane(id));
        }
        assert_eq!(lanes.free_from(next), None);
        lanes.remove(u32::MAX);
        assert_eq!(lanes.free_from(next), Some(next.wrapping_add(1)));
    }
}
