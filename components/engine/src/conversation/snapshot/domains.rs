//! What agents know, in a snapshot.

use super::super::agents::{Domain, Found, Status};
use super::super::{Command, Domains};
use super::{Reader, put_length, put_number, put_text};

pub(super) fn put(bytes: &mut Vec<u8>, domains: &Domains) {
    let Domains {
        notes,
        commands,
        known,
    } = domains;
    put_text(bytes, notes);
    put_length(bytes, commands.len());
    for command in commands {
        let Command {
            agent,
            text,
            after,
            round,
            status,
        } = command;
        put_text(bytes, agent);
        put_text(bytes, text);
        put_length(bytes, after.len());
        after.iter().for_each(|number| put_length(bytes, *number));
        put_number(bytes, u64::from(*round));
        bytes.push(*status as u8);
    }
    put_length(bytes, known.len());
    for Domain {
        agent,
        working,
        calls,
        last_action,
    } in known
    {
        put_text(bytes, agent);
        put_text(bytes, last_action);
        put_length(bytes, working.len());
        for Found { call, title, data } in working {
            for text in [call, title, data] {
                put_text(bytes, text);
            }
        }
        put_length(bytes, calls.len());
        for (title, worked) in calls {
            put_text(bytes, title);
            bytes.push(u8::from(*worked));
        }
    }
}

impl Reader<'_> {
    pub(super) fn domains(&mut self) -> Option<Domains> {
        Some(Domains {
            notes: self.text()?,
            commands: self.list(|reader| {
                Some(Command {
                    agent: reader.text()?,
                    text: reader.text()?,
                    after: reader.list(|reader| usize::try_from(reader.number()?).ok())?,
                    round: u32::try_from(reader.number()?).ok()?,
                    status: *Status::ALL.get(usize::from(reader.byte()?))?,
                })
            })?,
            known: self.list(|reader| {
                Some(Domain {
                    agent: reader.text()?,
                    last_action: reader.text()?,
                    working: reader.list(|reader| {
                        Some(Found {
                            call: reader.text()?,
                            title: reader.text()?,
                            data: reader.text()?,
                        })
                    })?,
                    calls: reader.list(|reader| Some((reader.text()?, reader.flag()?)))?,
                })
            })?,
        })
    }
}
