//! The tools that an assistant has in one turn, by the names that the model knows them by.

use crate::assistant::{Assistant, Gating, Kind, Rule, ToolSource};
use crate::gate::Stakes;
use crate::journal::{Failure, FailureKind};
use crate::json_schema;
use crate::port::{Caller, Effect, Inverse, ModelTool, ToolDefinition, Tools};
use serde_json::Value;
use std::rc::Rc;

/// The longest name of a tool that models take.
const LONGEST_NAME: usize = 64;

/// The tools of one turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    tools: Vec<Tool>,
    /// Tools that the model is not told of. They may still undo what others did.
    hidden: Vec<Tool>,
    /// Servers that are not told who is asking.
    discreet: Vec<String>,
    /// Those of each of the assistant's agents.
    agents: Vec<Catalog>,
}

/// A tool.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    /// As the model knows it.
    pub name: String,
    /// What [`Tools`] is called with.
    pub server: String,
    pub definition: ToolDefinition,
    /// Whether its server is a component of this application.
    own: bool,
    /// Which calls of its server somebody must decide on.
    gating: Rc<Gating>,
}

impl Tool {
    /// What a call of it may do as the inverse of another. Undoing is asked for by a person who has been told what
    /// would happen, so it is not risky to take back what the undone call did and nothing else. That this is all a
    /// call does is believed of components of this application; that it does more, of everybody.
    pub(crate) fn effect_of(&self, inverse: &Inverse) -> Effect {
        let effect = self.definition.effect;
        Effect {
            destructive: self.believed(inverse).unwrap_or(effect.destructive),
            ..effect
        }
    }

    /// The same as far as it is risky.
    pub(crate) fn risk_of(&self, inverse: &Inverse) -> Effect {
        match self.believed(inverse) {
            Some(_) => self.effect_of(inverse),
            None => self.risk_on(&inverse.arguments),
        }
    }

    fn believed(&self, inverse: &Inverse) -> Option<bool> {
        let told = inverse.destructive;
        told.filter(|destructive| self.own || *destructive)
    }

    /// What a call of it with these arguments may do, as far as it is risky: one that does less than the tool asks
    /// people about counts as destroying nothing.
    pub(crate) fn risk_on(&self, arguments: &Value) -> Effect {
        let ToolDefinition { effect, stakes, .. } = &self.definition;
        Effect {
            destructive: stakes.confirms(arguments, effect.destructive),
            ..*effect
        }
    }

    /// Everything that is wrong with arguments, in words a model can act on; empty if nothing is.
    pub(crate) fn check(&self, arguments: &Value) -> Vec<String> {
        // What is no schema refuses nothing.
        let schema = anyturn_json::from_str(&self.definition.input_schema).unwrap_or(Value::Bool(true));
        json_schema::check(&schema, arguments)
    }

    /// Who decides on a call of it that may have this effect.
    pub(crate) fn rule(&self, effect: Effect) -> Rule {
        self.gating.rule(&self.definition.name, effect)
    }
}

impl Catalog {
    /// Asks the assistant's servers what they offer, all at the same time.
    pub(crate) async fn list(
        assistant: &Assistant,
        tools: &impl Tools,
        caller: &Caller,
    ) -> Result<Catalog, Failure> {
        let discreet = assistant.sources().filter(|source| !source.forward_user);
        let empty = Catalog {
            discreet: discreet.map(|source| source.server.clone()).collect(),
            ..Catalog::default()
        };
        let own = assistant.tools.iter().map(|source| (None, source));
        let agents = match &assistant.kind {
            Kind::Agent => &[][..],
            Kind::FourPrompt(flow) => &flow.agents,
        };
        let theirs = agents.iter().enumerate();
        let theirs = theirs.flat_map(|(agent, of)| of.tools.iter().map(move |source| (Some(agent), source)));
        let lists = own.chain(theirs).map(async |(agent, source)| {
            let offered = tools
                .list(&source.server, &empty.caller(&source.server, caller))
                .await;
            offered.map(|offered| (agent, source, offered)).map_err(|error| {
                let problem = format!("the tools of “{}” are not available: {error}", source.server);
                Failure::passing(FailureKind::ToolsUnavailable, problem)
            })
        });
        let lists = futures::future::try_join_all(lists).await?;
        let mut catalog = Catalog {
            agents: vec![empty.clone(); agents.len()],
            ..empty
        };
        for (agent, source, offered) in lists {
            let gating = Rc::new(source.gating.clone());
            let of = match agent {
                None => Some(&mut catalog),
                Some(agent) => catalog.agents.get_mut(agent),
            };
            let Some(of) = of else { continue };
            for definition in offered {
                of.add(source, definition, Rc::clone(&gating));
            }
        }
        Ok(catalog)
    }

    fn add(&mut self, source: &ToolSource, mut definition: ToolDefinition, gating: Rc<Gating>) {
        let server = &source.server;
        if source.external {
            definition.stakes = Stakes::default();
        }
        let wanted = wanted(source, &definition.name);
        let mut name = plain(&definition.name);
        if wanted && self.find(&name).is_some() {
            name = plain(&format!(
                "{}__{}",
                server.trim_start_matches("https://"),
                definition.name
            ));
        }
        let tool = Tool {
            name,
            server: server.to_owned(),
            definition,
            own: !source.external,
            gating,
        };
        if !wanted {
            self.hidden.push(tool);
        } else if self.find(&tool.name).is_none() {
            // Two tools that cannot be told apart even so: the first one is offered.
            self.tools.push(tool);
        }
    }

    /// The tool that its server knows by this name, whether or not the model may call it.
    pub(crate) fn at(&self, server: &str, name: &str) -> Option<&Tool> {
        let mut tools = self.tools.iter().chain(&self.hidden);
        tools
            .find(|tool| tool.server == server && tool.definition.name == name)
            .or_else(|| self.agents.iter().find_map(|agent| agent.at(server, name)))
    }

    /// The tools of one of the assistant's agents.
    pub(crate) fn of_agent(&self, agent: usize) -> Option<&Catalog> {
        self.agents.get(agent)
    }

    /// The names that the model has for the tools, and those that people have.
    pub(crate) fn titles(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.tools.iter().map(|tool| (tool, tool.name.as_str()));
        named.map(|(tool, name)| (name, tool.definition.title.as_deref().unwrap_or(name)))
    }

    /// The tool that the model calls by this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// All names, for the model.
    pub(crate) fn names(&self) -> String {
        self.tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The tools as the model is told of them.
    pub(crate) fn offered(&self) -> Vec<ModelTool> {
        let offer = |tool: &Tool| ModelTool {
            name: tool.name.clone(),
            description: tool.definition.description.clone(),
            parameters: tool.definition.input_schema.clone(),
            examples: tool.definition.examples.clone(),
        };
        self.tools.iter().map(offer).collect()
    }

    /// Who a server is told is asking: nobody, unless it may know.
    pub(crate) fn caller(&self, server: &str, caller: &Caller) -> Caller {
        if self.discreet.iter().any(|discreet| discreet == server) {
            Caller::default()
        } else {
            caller.clone()
        }
    }
}

fn wanted(source: &ToolSource, name: &str) -> bool {
    let named = |list: &[String]| list.iter().any(|listed| listed == name);
    (source.include.is_empty() || named(&source.include)) && !named(&source.exclude)
}

/// A name as models take it: letters, digits, `_` and `-`.
fn plain(name: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            c
        } else {
            '_'
        }
    };
    name.chars().map(allowed).take(LONGEST_NAME).collect()
}
