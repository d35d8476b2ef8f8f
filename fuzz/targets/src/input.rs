//! The fuzzer's octets taken apart: numbers, lists, and the places where a stream is cut.

/// Reads from the front; where nothing is left, everything is zero and empty.
#[derive(Clone, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn octet(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub fn bit(&mut self) -> bool {
        self.octet() & 1 != 0
    }

    pub fn number(&mut self) -> u64 {
        let octets: [u8; 8] = std::array::from_fn(|_| self.octet());
        u64::from_be_bytes(octets)
    }

    /// An octet with the length, then so many octets or what is left.
    pub fn octets(&mut self) -> &'a [u8] {
        let len = usize::from(self.octet());
        self.take(len)
    }

    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.octet()) % from.len()]
    }

    /// Sizes of pieces: up to 15 of them, used again and again.
    pub fn cuts(&mut self) -> Cuts {
        let count = usize::from(self.octet() & 15);
        Cuts(self.take(count).to_vec())
    }
}

/// Where streams are cut. No sizes, or a zero: all that is left.
#[derive(Clone, Debug)]
pub struct Cuts(Vec<u8>);

impl Cuts {
    pub fn pieces<'a>(&self, mut stream: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        let mut sizes = self.0.iter().cycle();
        while !stream.is_empty() {
            let size = match sizes.next() {
                None | Some(0) => stream.len(),
                Some(size) => usize::from(*size).min(stream.len()),
            };
            let (piece, rest) = stream.split_at(size);
            pieces.push(piece);
            stream = rest;
        }
        pieces
    }
}
