//! Lists that come page by page.

use serde::de::DeserializeOwned;

use crate::{Client, Error, Network, Request};

/// How many pages are read of one list.
const MAX_PAGES: usize = 50;

/// A page of a list, as an API's answer has it.
pub trait Page: DeserializeOwned {
    /// What is listed.
    type Item;

    /// The page's items, and its `nextPageToken`.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

/// What was read of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// In the order of the API.
    pub items: Vec<T>,
    /// Whether this is all of it.
    pub is_complete: bool,
}

impl<N: Network> Client<'_, N> {
    /// Reads a list page by page, at most so many items.
    ///
    /// # Errors
    ///
    /// As of [`Client::send`]: of the first page that cannot be read.
    pub async fn pages<P: Page>(&self, request: &Request, most: usize) -> Result<Listed<P::Item>, Error> {
        let mut items = Vec::new();
        let mut page = request.clone();
        for _ in 0..MAX_PAGES {
            let (more, next) = self.json::<P>(&page).await?.split();
            items.extend(more);
            let next = next.filter(|token| !token.is_empty());
            if items.len() >= most {
                let is_complete = items.len() == most && next.is_none();
                items.truncate(most);
                return Ok(Listed { items, is_complete });
            }
            let Some(token) = next else {
                return Ok(Listed {
                    items,
                    is_complete: true,
                });
            };
            page = request.clone().query("pageToken", token);
        }
        Ok(Listed {
            items,
            is_complete: false,
        })
    }
}
