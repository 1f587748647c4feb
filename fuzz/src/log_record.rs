//! The payload of a log frame: a sequence of operations, perhaps behind event ids and the place in a followed file.
//! What decodes is encoded again and must be the same.

use hitstone_engine::codec::{Reader, Writer};
use hitstone_engine::record::{
    FRAME_AT_POSITION, FRAME_EVENTS_WITH_IDS, Frame, FrameIds, Operation, Row, frame_of_batch,
};
use hitstone_engine::schema::ATTRIBUTE_COUNT;
use hitstone_engine::units::{EventHash, SessionId, SessionKey, SiteId, VisitorId};

pub fn run(data: &[u8]) {
    operations(Reader::new(data));
    for kind in [FRAME_EVENTS_WITH_IDS, FRAME_AT_POSITION] {
        let Ok(frame) = Frame::split(kind, data) else { continue };
        let mut rest = Writer::new();
        rest.raw(&data[data.len() - frame.operations.remaining()..]);
        let (kind, bytes) =
            frame_of_batch(frame.position, frame.ids, rest).expect("it has ids or a position");
        let again = Frame::split(kind, &bytes).expect("what was encoded decodes");
        assert_eq!((again.position, again.ids), (frame.position, frame.ids));
        operations(frame.operations);
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
    let mut at_position = Writer::new();
    at_position.raw(&[5; 16]);
    at_position.varint(70_000);
    at_position.u8(FRAME_EVENTS_WITH_IDS);
    at_position.raw(with_ids.as_slice());
    let framed = [with_ids.into_vec(), at_position.into_vec()];
    let mut seeds = vec![encode(&operations[..1]), encode(&operations[1..]), encode(&operations)];
    seeds.extend(framed);
    seeds
}
