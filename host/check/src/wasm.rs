//! What a component file says about itself: what it imports and exports. Only the outermost layer is read, no code, so
//! that it takes microseconds.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentType, ComponentTypeRef,
    Encoding, InstanceTypeDeclaration, Parser, Payload, TypeBounds,
};

/// The imports and exports of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Interfaces that something must provide: those that have functions or resources. Types alone need nobody.
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Why a file is no component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoComponent {
    #[error("is a core module, and not a component")]
    Module,
    #[error("is no component: {0}")]
    Broken(String),
}

/// Reads the outline of a component.
pub(crate) fn outline(bytes: &[u8]) -> Result<Outline, NoComponent> {
    let mut outline = Outline::default();
    // For each type of the component's own index space, whether an instance of it needs a provider.
    let mut types: Vec<bool> = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| broken(&error))?;
        match &payload {
            Payload::Version { encoding, .. } if depth == 0 && *encoding == Encoding::Module => {
                return Err(NoComponent::Module);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ if depth == 0 => read(&payload, &mut types, &mut outline).map_err(|error| broken(&error))?,
            _ => {}
        }
    }
    Ok(outline)
}

fn broken(error: &wasmparser::BinaryReaderError) -> NoComponent {
    // What follows is the bytes, over several lines.
    let reason = error.message().split(" - ").next().unwrap_or_default();
    NoComponent::Broken(reason.lines().next().unwrap_or_default().to_owned())
}

fn read(payload: &Payload<'_>, types: &mut Vec<bool>, outline: &mut Outline) -> wasmparser::Result<()> {
    match payload {
        Payload::ComponentTypeSection(section) => {
            for ty in section.clone() {
                types.push(needs_provider(&ty?));
            }
        }
        Payload::ComponentAliasSection(section) => {
            for alias in section.clone() {
                let names_a_type = match alias? {
                    ComponentAlias::InstanceExport { kind, .. } => kind == ComponentExternalKind::Type,
                    ComponentAlias::Outer { kind, .. } => kind == ComponentOuterAliasKind::Type,
                    ComponentAlias::CoreInstanceExport { .. } => false,
                };
                if names_a_type {
                    types.push(false);
                }
            }
        }
        Payload::ComponentImportSection(section) => {
            for import in section.clone() {
                let import = import?;
                let needed = match import.ty {
                    ComponentTypeRef::Type(_) => {
                        types.push(false);
                        false
                    }
                    ComponentTypeRef::Instance(index) => {
                        let index = usize::try_from(index).unwrap_or(usize::MAX);
                        types.get(index).copied().unwrap_or(true)
                    }
                    _ => true,
                };
                if needed {
                    outline.imports.push(import.name.name.to_owned());
                }
            }
        }
        Payload::ComponentExportSection(section) => {
            for export in section.clone() {
                let export = export?;
                if export.kind == ComponentExternalKind::Type {
                    types.push(false);
                }
                outline.exports.push(export.name.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether an instance of a type has anything but types.
fn needs_provider(ty: &ComponentType<'_>) -> bool {
    let ComponentType::Instance(declarations) = ty else {
        return false;
    };
    declarations.iter().any(|declaration| match declaration {
        InstanceTypeDeclaration::Export { ty, .. } => match ty {
            ComponentTypeRef::Type(bounds) => matches!(bounds, TypeBounds::SubResource),
            _ => true,
        },
        _ => false,
    })
}
