//! The image that takes the place of the kernel's vDSO, assembled into this program.

use crate::platform::PlatformError;

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(include_str!("image.s"));

/// The image; it fits into a page.
///
/// # Errors
/// There is none for this processor.
#[cfg(target_arch = "x86_64")]
pub(super) fn bytes() -> Result<&'static [u8], PlatformError> {
    unsafe extern "C" {
        static breakwater_clock_image: u8;
        static breakwater_clock_image_end: u8;
    }
    // SAFETY: both symbols are in one section of constants, the end behind the beginning.
    let image = unsafe {
        let (start, end) =
            (&raw const breakwater_clock_image, &raw const breakwater_clock_image_end);
        let length = usize::try_from(end.offset_from(start)).expect("the end is behind");
        std::slice::from_raw_parts(start, length)
    };
    assert!(image.len() <= super::page::PAGE, "the image fits into a page");
    Ok(image)
}

/// There is none.
///
/// # Errors
/// Always.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn bytes() -> Result<&'static [u8], PlatformError> {
    Err(PlatformError::Unsupported("clocks of nodes can be set on x86-64 only".to_owned()))
}
