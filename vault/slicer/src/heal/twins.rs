//! Faces that add nothing: collapsed to a line, or standing on another one.

use crate::mesh::Mesh;

/// Drops faces that name a corner twice; gives how many.
pub(super) fn drop_collapsed(mesh: &mut Mesh) -> u32 {
    let before = mesh.triangles.len();
    mesh.triangles.retain(|&[a, b, c]| a != b && b != c && c != a);
    (before - mesh.triangles.len()) as u32
}

/// Of faces with the same corners leaves one, facing as most of them do, or none where they cancel out; gives how many
/// went. Only corners at faulty edges are looked at: a twin leaves its edges out of balance.
pub(super) fn drop_twins(mesh: &mut Mesh, faulty: &[bool]) -> u32 {
    let suspect = |corners: &[u32; 3]| corners.iter().all(|&at| faulty.get(at as usize) == Some(&true));
    let mut faces: Vec<([u32; 3], u32, bool)> = mesh
        .triangles
        .iter()
        .enumerate()
        .filter(|(_, corners)| suspect(corners))
        .map(|(face, corners)| named(*corners, face as u32))
        .collect();
    faces.sort_unstable();
    let mut dropped = vec![false; mesh.triangles.len()];
    for same in faces.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        let even = same.iter().filter(|(.., is_even)| *is_even).count();
        let odd = same.len() - even;
        let kept = same.iter().find(|(.., is_even)| even != odd && *is_even == (even > odd));
        same.iter().for_each(|(_, face, _)| dropped[*face as usize] = true);
        if let Some((_, face, _)) = kept {
            dropped[*face as usize] = false;
        }
    }
    let before = mesh.triangles.len();
    let mut fates = dropped.into_iter();
    mesh.triangles.retain(|_| fates.next() == Some(false));
    (before - mesh.triangles.len()) as u32
}

/// A face by its corners in rising order, and whether putting them so was an even permutation.
fn named([a, b, c]: [u32; 3], face: u32) -> ([u32; 3], u32, bool) {
    let mut corners = [a, b, c];
    corners.sort_unstable();
    let swaps = [a > b, a > c, b > c].into_iter().filter(|&swapped| swapped).count();
    (corners, face, swaps % 2 == 0)
}
