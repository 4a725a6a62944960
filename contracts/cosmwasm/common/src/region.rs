//! Memory that passes between the chain and a contract: a region is (offset, capacity, length), three u32 of linear memory.
//! Source: CosmWasm's contract interface, version 8.

use std::mem::ManuallyDrop;

#[repr(C)]
struct Region {
    offset: u32,
    capacity: u32,
    length: u32,
}

/// Gives bytes away, to the chain or until `take`.
pub fn give(bytes: Vec<u8>) -> u32 {
    let mut bytes = ManuallyDrop::new(bytes);
    let region =
        Region { offset: bytes.as_mut_ptr() as u32, capacity: bytes.capacity() as u32, length: bytes.len() as u32 };
    Box::into_raw(Box::new(region)) as u32
}

/// Takes over the bytes of a region that `give` or `allocate` made.
///
/// # Safety
/// `pointer` is such a region's, and nobody takes it again.
pub unsafe fn take(pointer: u32) -> Vec<u8> {
    let region = Box::from_raw(pointer as *mut Region);
    Vec::from_raw_parts(region.offset as *mut u8, region.length as usize, region.capacity as usize)
}

/// Bytes that the chain reads, or fills up to their capacity, while the view stands.
pub struct View(Box<Region>);

impl View {
    pub fn of(bytes: &[u8]) -> View {
        let length = bytes.len() as u32;
        View(Box::new(Region { offset: bytes.as_ptr() as u32, capacity: length, length }))
    }

    /// An empty region over a buffer's capacity.
    pub fn over(buffer: &mut Vec<u8>) -> View {
        View(Box::new(Region { offset: buffer.as_mut_ptr() as u32, capacity: buffer.capacity() as u32, length: 0 }))
    }

    pub fn pointer(&self) -> u32 {
        &*self.0 as *const Region as u32
    }

    /// What the chain has written.
    pub fn length(&self) -> usize {
        // written behind the compiler's back
        unsafe { core::ptr::read_volatile(&self.0.length) as usize }
    }
}

#[no_mangle]
extern "C" fn allocate(size: u32) -> u32 {
    give(Vec::with_capacity(size as usize))
}

#[no_mangle]
unsafe extern "C" fn deallocate(pointer: u32) {
    drop(take(pointer));
}

#[no_mangle]
extern "C" fn interface_version_8() {}
