//! The chat page in a real browser.

use anyturn_tests::browser::Driver;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::users::{SECRET, token};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;

struct Page {
    client: Client,
    _driver: Driver,
}

impl Page {
    async fn open(host: &Host) -> Self {
        let driver = Driver::start().await;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(driver.capabilities())
            .connect(&driver.url())
            .await
            .unwrap();
        client.goto(&host.url("/")).await.unwrap();
        Self {
            client,
            _driver: driver,
        }
    }

    async fn say(&self, message: &str) {
        let field = self
            .client
            .wait()
            .for_element(Locator::Id("message"))
            .await
            .unwrap();
        field.send_keys(message).await.unwrap();
        field.send_keys(&Key::Enter.to_string()).await.unwrap();
    }

    /// Waits until the n-th answer is complete, and returns its text.
    async fn answer(&self, number: usize) -> String {
        let css = format!(
            "#log > .message.assistant[aria-busy=false]:nth-of-type({})",
            number * 2
        );
        let Ok(answer) = self.client.wait().for_element(Locator::Css(&css)).await else {
            let page = self.run("return document.body.innerText").await;
            panic!(
                "answer {number} is complete on the page: {page}\n{:?}",
                self.complaints().await
            );
        };
        answer
            .find(Locator::Css(".body"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    async fn click(&self, what: Locator<'_>) {
        self.client.find(what).await.unwrap().click().await.unwrap();
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Errors that the browser wrote to its console: a broken policy, a script that failed.
    async fn complaints(&self) -> Vec<Value> {
        let address = self.client.session_id().await.unwrap().unwrap();
        let url = format!("{}/session/{address}/se/log", self._driver.url());
        let log: Value = anyturn_tests::client()
            .post(url)
            .json(&serde_json::json!({ "type": "browser" }))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        log["value"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .cloned()
            .collect()
    }
}

#[tokio::test]
async fn a_todo_list_is_managed_on_the_page() {
    let host = Host::start().await;
    let page = Page::open(&host).await;
    page.say("add buy milk for tomorrow").await;
    assert!(page.answer(1).await.contains("buy milk"));
    let card = page.client.find(Locator::Css(".tool .state")).await.unwrap();
    assert_eq!(
        card.text().await.unwrap(),
        "done",
        "the tool's card says how it went"
    );
    page.say("what is due tomorrow?").await;
    assert!(page.answer(2).await.contains("buy milk"));

    let listed = page
        .client
        .wait()
        .for_element(Locator::Css("#sessions li[aria-current] .open span"))
        .await
        .unwrap();
    assert_eq!(listed.text().await.unwrap(), "add buy milk for tomorrow");

    page.client.refresh().await.unwrap();
    assert!(
        page.answer(2).await.contains("buy milk"),
        "a reload shows the same conversation"
    );
    assert_eq!(page.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_a_message_contains_is_shown_and_never_run() {
    let host = Host::start().await;
    let page = Page::open(&host).await;
    page.say("add \"<img src=x onerror=window.hit=1><script>window.hit=2</script> [x](javascript:window.hit=3) ![y](https://tracker.example/y.png)\"").await;
    page.answer(1).await;
    page.say("what is on my list?").await;
    assert!(page.answer(2).await.contains("<script>"), "it is shown as text");
    let found = page.run("return [typeof window.hit, document.querySelectorAll('#log img, #log script, #log a[href^=javascript]').length]").await;
    assert_eq!(found, serde_json::json!(["undefined", 0]));
}

#[tokio::test]
async fn the_page_asks_for_a_token_where_one_is_needed() {
    let host = HostBuilder::new().env("JWT_SECRET", SECRET).start().await;
    let page = Page::open(&host).await;
    let field = page
        .client
        .wait()
        .for_element(Locator::Css("#token-dialog[open] #token"))
        .await
        .unwrap();
    field.send_keys(&token("alice")).await.unwrap();
    page.click(Locator::Css("#token-dialog button[value=save]")).await;
    page.client
        .wait()
        .for_element(Locator::Css("#log .welcome"))
        .await
        .unwrap();
    page.say("add buy milk").await;
    assert!(page.answer(1).await.contains("buy milk"));
}

#[tokio::test]
async fn everything_on_the_page_has_a_name_and_is_reached_by_keyboard() {
    let host = Host::start().await;
    let page = Page::open(&host).await;
    page.client
        .wait()
        .for_element(Locator::Css("#log .welcome"))
        .await
        .unwrap();
    let nameless = page
        .run(
            "return [...document.querySelectorAll('button, a, input, textarea, select')].filter((one) => one.checkVisibility())\
             .filter((one) => !(one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim() || one.textContent.trim()))\
             .map((one) => one.outerHTML)",
        )
        .await;
    assert_eq!(nameless, serde_json::json!([]));
    assert_eq!(
        page.run("return document.activeElement.id").await,
        "message",
        "the message box has the focus"
    );
    page.say("hello").await;
    page.answer(1).await;
    page.run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'O', ctrlKey: true, shiftKey: true, bubbles: true }))").await;
    page.client
        .wait()
        .for_element(Locator::Css("#log .welcome"))
        .await
        .unwrap();
    page.click(Locator::Id("theme")).await;
    page.click(Locator::Id("theme")).await;
    let ground = page
        .run("return getComputedStyle(document.body).backgroundColor")
        .await;
    assert_eq!(ground, "rgb(20, 22, 27)", "the dark theme is dark");
}

#[tokio::test]
async fn what_tools_return_is_shown_as_cards_and_never_run() {
    let host = Host::start().await;
    let page = Page::open(&host).await;
    let hostile = "<img src=x onerror=window.hit=1><script>window.hit=2</script>";
    let results = serde_json::json!([
        { "emails": [
            { "from": { "name": hostile, "email": "a@b.example" }, "subject": hostile, "snippet": hostile,
              "date": "2026-11-20T23:30:00+01:00", "unread": true },
            { "from": "not an address", "subject": 5, "date": "<b>soon</b>" }
        ] },
        { "id": "m1", "from": { "name": "Ann", "email": "a@b.example" }, "to": [], "subject": "Hello",
          "date": "2026-11-20T08:05:00+01:00", "body": format!("{hostile}\nhttps://tracker.example/p.png"), "attachments": [] },
        { "events": [
            { "title": hostile, "start": "2026-11-21T11:00:00-08:00", "end": "2026-11-21T11:30:00-08:00", "all_day": false,
              "guests": [{ "name": hostile, "address": "g@b.example", "answer": "declined" }], "guest_count": 3, "location": hostile }
        ] },
        { "contacts": [{ "name": hostile, "addresses": ["c@b.example"] }] },
        { "slots": [{ "number": 1, "start": "2026-11-26T14:00:00+01:00", "end": "2026-11-26T14:30:00+01:00" }] },
        { "emails": [] },
        { "tasks": [] },
        null
    ]);
    let shown = page
        .client
        .execute_async(
            "const [results, done] = arguments; import('/cards.js').then(({ cards }) => { \
             const shown = results.map((result) => { const node = cards(result); if (node) document.body.append(node); return node?.innerText ?? null; }); \
             const unsafe = document.querySelectorAll('.card img, .card script, .card a, .card [style]').length; \
             setTimeout(() => done([shown, unsafe, typeof window.hit]), 50); })",
            vec![results],
        )
        .await
        .unwrap();
    assert_eq!(shown[1], 0, "nothing of it became markup");
    assert_eq!(shown[2], "undefined", "nothing of it ran");
    let texts = shown[0].as_array().unwrap();
    let text = |at: usize| texts[at].as_str().unwrap_or_default();
    assert!(
        text(0).contains(hostile) && (text(0).contains("23:30") || text(0).contains("11:30")),
        "{}",
        text(0)
    );
    assert!(text(1).contains("https://tracker.example/p.png"), "{}", text(1));
    assert!(
        text(2).contains("11:00") && text(2).contains("(declined), 2 more"),
        "an event is told by the clock of its user: {}",
        text(2)
    );
    assert!(text(3).contains("c@b.example"));
    assert!(
        text(4).contains("14:30") || text(4).contains("2:30"),
        "{}",
        text(4)
    );
    assert_eq!(text(5), "No e-mails");
    assert!(
        texts[6].is_null() && texts[7].is_null(),
        "what has no such shape is shown as before"
    );
    assert_eq!(page.complaints().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_inbox_is_tidied_up_on_the_page_and_put_back() {
    let host = Host::start().await;
    let page = Page::open(&host).await;
    let inbox = "#assistant option[value=inbox]";
    page.client.wait().for_element(Locator::Css(inbox)).await.unwrap();
    page.run(
        "const assistant = document.getElementById('assistant'); assistant.value = 'inbox'; \
         assistant.dispatchEvent(new Event('change')); \
         window.heard = []; new MutationObserver(() => document.querySelectorAll('.progress li').forEach((line) => window.heard.push(line.textContent))) \
             .observe(document.getElementById('log'), { childList: true, subtree: true, characterData: true })",
    )
    .await;
    page.say("Archive all newsletters from today").await;
    let asked = page.answer(1).await;
    assert!(asked.contains("23"), "{asked}");
    let cards = page
        .run("return [...document.querySelectorAll('.card.email')].map((card) => card.innerText)")
        .await;
    assert_eq!(
        cards.as_array().unwrap().len(),
        10,
        "the first of them are shown: {cards}"
    );
    let heard = page.run("return window.heard.join()").await;
    assert!(
        heard.as_str().unwrap().contains("at work"),
        "sub-agents are seen at work: {heard}"
    );
    let gate = page.client.find(Locator::Css(".gate.open")).await.unwrap();
    let gate_text = gate.text().await.unwrap();
    assert!(gate_text.contains("23"), "{gate_text}");

    page.click(Locator::Css(".gate.open .approve")).await;
    let undo = page
        .client
        .wait()
        .for_element(Locator::Css("#offers .toast button:not(.plain)"))
        .await
        .unwrap();
    let done = page.answer(1).await;
    assert!(done.contains("Archived 23"), "{done}");
    undo.click().await.unwrap();
    page.client
        .wait()
        .for_element(Locator::Css(
            "#log > .message.assistant[aria-busy=false]:nth-of-type(3)",
        ))
        .await
        .unwrap();
    page.say("what newsletters came today?").await;
    let listed = page
        .client
        .wait()
        .for_element(Locator::Css(
            "#log > .message.assistant[aria-busy=false]:nth-of-type(5) .body",
        ))
        .await
        .unwrap();
    let listed = listed.text().await.unwrap();
    assert!(listed.contains("23"), "they are back: {listed}");

    for (at, message, told) in [
        (7, "find emails from Sarah this week", "Sarah Chen"),
        (9, "what's on tomorrow and who is coming?", "Tom Okafor"),
        (
            11,
            "schedule 30 minutes with Sarah on Thursday afternoon",
            "sarah.chen@northwind.example",
        ),
    ] {
        page.say(message).await;
        let css = format!("#log > .message.assistant[aria-busy=false]:nth-of-type({at}) .body");
        let answer = page.client.wait().for_element(Locator::Css(&css)).await.unwrap();
        let answer = answer.text().await.unwrap();
        assert!(answer.contains(told), "{message}: {answer}");
    }
    let events = page
        .run("return [...document.querySelectorAll('.card.event h4')].map((title) => title.innerText)")
        .await;
    assert!(events.to_string().contains("Lumen kick-off"), "{events}");
    page.click(Locator::Css(".gate.open .deny")).await;
    page.client
        .wait()
        .for_element(Locator::Css(".gate.denied"))
        .await
        .unwrap();
    assert_eq!(page.complaints().await, Vec::<Value>::new());
}
