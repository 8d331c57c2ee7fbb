//! Who can access a file, from its access control list in the security descriptor definition
//! language of Windows.
//!
//! Only the groups that contain every user of a host or a network are examined. An administrator can
//! access every file.
//! <https://learn.microsoft.com/windows/win32/secauthz/ace-strings>

/// A group of all users: its abbreviation, its security identifier, and its name in a message.
pub(super) type Group = (&'static str, &'static str, &'static str);

/// The groups that contain every user.
pub(super) const GROUPS: [Group; 6] = [
    ("WD", "S-1-1-0", "every user"),
    ("AU", "S-1-5-11", "every signed-in user"),
    ("BU", "S-1-5-32-545", "the group Users"),
    ("IU", "S-1-5-4", "every interactive user"),
    ("BG", "S-1-5-32-546", "the group Guests"),
    ("AN", "S-1-5-7", "every anonymous user"),
];

/// The abbreviations of rights.
const RIGHTS: [(&str, u32); 20] = [
    ("FA", 0x1f_01ff),
    ("FR", 0x12_0089),
    ("FW", 0x12_0116),
    ("FX", 0x12_00a0),
    ("GA", ALL),
    ("GX", 0x2000_0000),
    ("GW", 0x4000_0000),
    ("GR", 0x8000_0000),
    ("CC", READ),
    ("DC", WRITE),
    ("LC", 0x4),
    ("SW", 0x8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", DELETE_CHILD),
    ("LO", 0x80),
    ("CR", 0x100),
    ("SD", 0x1_0000),
    ("WD", WRITE_DAC),
    ("WO", WRITE_OWNER),
];

const READ: u32 = 0x1;
/// The right to write data; for a directory, to create files.
const WRITE: u32 = 0x2;
const DELETE_CHILD: u32 = 0x40;
const WRITE_DAC: u32 = 0x4_0000;
const WRITE_OWNER: u32 = 0x8_0000;
const ALL: u32 = 0x1000_0000;

/// The rights that allow reading a file.
pub(super) const READING: u32 = READ | ALL | 0x8000_0000;
/// The rights that allow changing a file.
pub(super) const WRITING: u32 = WRITE | 0x4 | WRITE_DAC | WRITE_OWNER | ALL | 0x4000_0000;
/// The rights that allow creating files in a directory.
pub(super) const CREATING: u32 = WRITE | ALL | 0x4000_0000;
/// The rights that allow replacing the files in a directory.
pub(super) const REPLACING: u32 = DELETE_CHILD | WRITE_DAC | WRITE_OWNER | ALL;

/// The groups that have one of these rights. Without a list, everybody has all rights.
pub(super) fn groups_with(descriptor: &str, rights: u32) -> Vec<&'static Group> {
    if descriptor.contains("NO_ACCESS_CONTROL") {
        return GROUPS.first().into_iter().collect();
    }
    let granted = |group: &&Group| {
        let entries =
            || entries(descriptor).filter(|entry| [group.0, group.1].contains(&entry.who));
        let of = |kind| {
            let matching = entries().filter(move |entry| entry.kind == kind);
            matching.fold(0, |all, entry| all | entry.rights)
        };
        of("A") & !of("D") & rights != 0
    };
    GROUPS.iter().filter(granted).collect()
}

/// One entry of a list, which applies to the file itself.
struct Entry<'a> {
    kind: &'a str,
    rights: u32,
    who: &'a str,
}

fn entries(descriptor: &str) -> impl Iterator<Item = Entry<'_>> {
    descriptor.split('(').skip(1).filter_map(|entry| {
        let fields: Vec<&str> = entry.split(')').next()?.split(';').collect();
        let [kind, flags, rights, _, _, who, ..] = fields.as_slice() else { return None };
        // IO (inherit only): the entry applies only to what is in the directory.
        let is_inherited_only = flags.as_bytes().chunks(2).any(|flag| flag == b"IO");
        (!is_inherited_only).then(|| Entry { kind, rights: mask(rights), who })
    })
}

fn mask(rights: &str) -> u32 {
    if let Some(digits) = rights.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).unwrap_or_default();
    }
    let names = rights.as_bytes().chunks(2).filter_map(|name| std::str::from_utf8(name).ok());
    let known = names.filter_map(|name| RIGHTS.iter().find(|(known, _)| *known == name));
    known.fold(0, |all, (_, rights)| all | rights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_all_users_are_found_by_their_rights() {
        let names = |descriptor: &str, rights: u32| -> Vec<&str> {
            groups_with(descriptor, rights).into_iter().map(|group| group.0).collect()
        };
        let own = "D:P(A;;FA;;;S-1-5-21-1-2-3-1001)(A;;FA;;;SY)(A;;FA;;;BA)";
        let profile = "D:AI(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)";
        let data = "D:AI(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)(A;OICIIOID;GA;;;WD)";
        for (descriptor, rights, expected) in [
            (own, READING | WRITING, &[] as &[&str]),
            (profile, READING, &["AU", "BU"]),
            (profile, WRITING, &["AU"]),
            (data, READING, &["BU"]),
            (data, CREATING, &["BU"]),
            (data, REPLACING, &[]),
            ("D:(A;;GR;;;WD)", READING, &["WD"]),
            ("D:(D;;FW;;;WD)(A;;FA;;;S-1-1-0)", WRITING, &["WD"]),
            ("D:(D;;FA;;;WD)(A;;FR;;;WD)", READING, &[]),
            ("D:(D;;FA;;;BU)(A;;FR;;;BU)", READING, &[]),
            ("D:NO_ACCESS_CONTROL", WRITING, &["WD"]),
            ("D:P", READING, &[]),
            ("", READING, &[]),
            ("D:(A;;;;;WD)(A)(", READING, &[]),
        ] {
            assert_eq!(names(descriptor, rights), expected, "{descriptor}");
        }
    }
}
