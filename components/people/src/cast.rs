//! The people of the demo data. Its mailbox, its calendar and its address book are about the same ones.

/// Somebody in the demo data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: &'static str,
    /// The e-mail address.
    pub address: &'static str,
}

/// The user.
pub const ALEX: Person = person("Alex Kim", "alex.kim@northwind.example");
/// Leads the product.
pub const SARAH: Person = person("Sarah Chen", "sarah.chen@northwind.example");
/// An engineer.
pub const MARCUS: Person = person("Marcus Webb", "marcus.webb@northwind.example");
/// A designer.
pub const PRIYA: Person = person("Priya Nair", "priya.nair@northwind.example");
/// A client, of Lumen.
pub const TOM: Person = person("Tom Okafor", "tom.okafor@lumen.example");
/// A client, of Lumen.
pub const ELENA: Person = person("Elena Rossi", "elena.rossi@lumen.example");
/// A recruiter: the other Sarah.
pub const SARAH_MILLER: Person = person("Sarah Miller", "sarah.miller@brightpath.example");
/// The user's father.
pub const DAD: Person = person("David Kim", "david.kim@family.example");

const fn person(name: &'static str, address: &'static str) -> Person {
    Person { name, address }
}
