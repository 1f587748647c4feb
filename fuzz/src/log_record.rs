//! The payload of a log frame: a sequence of operations, perhaps behind event ids. What decodes is encoded again and must
//! be the same.

use hitstone_engine::codec::{Reader, Writer};
use hitstone_engine::record::{FRAME_AT_POSITION, FRAME_EVENTS_WITH_IDS, Frame, FrameIds, Operation, Row, frame_of_batch};
use hitstone_engine::schema::ATTRIBUTE_COUNT;
use hitstone_engine::units::{EventHash, SessionId, SessionKey, SiteId, VisitorId};

pub fn run(data: &[u8]) {
    operations(Reader::new(data));
    if let Ok((Some(ids), input)) = split(FRAME_EVENTS_WITH_IDS, data) {
        let mut out = Writer::new();
        ids.encode(&mut out);
        let bytes = out.into_vec();
        assert_eq!(FrameIds::decode(&mut Reader::new(&bytes)), Ok(ids));
        operations(input);
    }
}

fn operations(mut input: Reader<'_>) {
    while !input.is_at_end() {
        let Ok(operation) = Operation::decode(&mut input) else { return };
        let mut out = Writer::new();
        operation.encode(&mut out);
        let bytes = out.into_vec();
        let again = Operation::decode(&mut Reader::new(&bytes)).expect("what was encoded decodes");
        let mut out = Writer::new();
        again.encode(&mut out);
        assert_eq!(out.into_vec(), bytes, "an operation changed when it was written and read");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let row = |time: i64, kind: u8| Row {
        time,
        kind,
        event_duration: 0,
        status: 0,
        received: 0,
        texts: [""; hitstone_engine::record::ROW_TEXT_COUNT],
    };
    let operation = |rows: Vec<Row<'static>>, attributes| Operation {
        key: SessionKey { site: SiteId(1), visitor: VisitorId(7), session: SessionId(20_000 << 16) },
        user_key: None,
        attributes,
        replaces: false,
        rows,
    };
    let start = 20_000 * 86_400_000;
    let operations = [
        operation(vec![row(start, 0)], Some(["de"; ATTRIBUTE_COUNT])),
        operation(vec![row(start, 0), row(start + 1_000, 1), row(start + 500, 2)], None),
    ];
    let encode = |operations: &[Operation<'_>]| {
        let mut out = Writer::new();
        operations.iter().for_each(|operation| operation.encode(&mut out));
        out.into_vec()
    };
    let mut with_ids = Writer::new();
    FrameIds { arrived: start, hashes: &[EventHash([3; 16]), EventHash([9; 16])] }.encode(&mut with_ids);
    with_ids.raw(&encode(&operations));
    vec![encode(&operations[..1]), encode(&operations[1..]), encode(&operations), with_ids.into_vec()]
}
