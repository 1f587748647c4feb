//! Parquet files that nothing can be made from.

use super::*;

/// A Parquet file that is not what was written is named, whether or not its index is there; the rest is made anew.
#[test]
fn a_parquet_file_that_is_not_sound_is_set_aside() {
    let (fs, _, _) = filled(17);
    let mut core = open(&fs).unwrap();
    let parquet = files(&mut core)[0].file.parquet().to_path_buf();
    drop(core);
    let original = fs.read(&parquet).unwrap();
    let reversed = reversed(&original);
    let mut flipped = original.clone();
    flipped[original.len() / 2] ^= 1;
    let cases = [
        ("missing", None, false),
        ("cut short", Some(&original[..original.len() / 2]), false),
        ("flipped", Some(&flipped[..]), false),
        ("in another order", Some(&reversed[..]), true),
    ];
    for (what, bytes, is_in_manifest) in cases {
        for prefix in ["index-", "dictionary-"] {
            let context = format!("{what}, {prefix}");
            let fs = fs.kill();
            put(&fs, &parquet, bytes);
            derived(&fs)
                .iter()
                .filter(|path| path.to_str().unwrap().contains(prefix))
                .for_each(|path| put(&fs, path, None));
            if let (true, Some(bytes)) = (is_in_manifest, bytes) {
                let mut manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
                let entry = &mut manifest.lake.values_mut().next().unwrap().files[0];
                entry.parquet_len = bytes.len() as u64;
                entry.parquet_end_crc = hitstone_engine::lake::end_crc(bytes);
                manifest.write(&fs, Path::new(FOLDER)).unwrap();
            }
            let mut core = open(&fs).unwrap();
            let snapshot = core.snapshot();
            look_for_damage(&snapshot);
            for (site, extent) in wanted(&snapshot) {
                rebuild_beside(&mut core, site, extent, &mut |_, _| ()).unwrap();
            }
            let damage: Vec<String> = core.snapshot().damage().map(|damage| damage.to_string()).collect();
            assert_eq!(damage.len(), 1, "{context}: {damage:?}");
            assert!(damage[0].contains(parquet.to_str().unwrap()), "{context}: {damage:?}");
            assert_eq!(wanted(&core.snapshot()), [], "{context}: it is tried again and again");
            drop(core);
            if is_in_manifest {
                continue;
            }
            // From a copy.
            put(&fs, &parquet, Some(&original));
            let mut core = open(&fs.kill()).unwrap();
            mend(&mut core).unwrap();
            assert_eq!(core.snapshot().damage().count(), 0, "{context}");
            content(&mut core);
        }
    }
}

/// What is left of a damaged index still tells of damage in the Parquet file that no decoding would find.
#[test]
fn checksums_of_a_damaged_index_are_believed() {
    let (fs, ..) = filled(24);
    let mut core = open(&fs).unwrap();
    let live = files(&mut core)[0].clone();
    drop(core);
    let fs = fs.kill();
    let index = index_path(Path::new(FOLDER), live.file.number());
    let place = places(&index, &fs.read(&index).unwrap())[0];
    assert!(fs.flip_bits(&index, place as u64, 1));
    let parquet = live.file.parquet();
    let len = fs.read(parquet).unwrap().len() as u64;
    for at in (0..len).step_by(211) {
        let fs = fs.kill();
        assert!(fs.flip_bits(parquet, at, 4));
        // Its end is as the manifest says.
        let mut manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
        let entry = &mut manifest.lake.values_mut().next().unwrap().files[0];
        entry.parquet_end_crc = hitstone_engine::lake::end_crc(&fs.read(parquet).unwrap());
        manifest.write(&fs, Path::new(FOLDER)).unwrap();
        let mut core = open(&fs).unwrap();
        let site = wanted_site(&mut core);
        let is_done = rebuild_beside(&mut core, site, Extent::Indexes, &mut |_, _| ()).unwrap();
        let damage: Vec<String> = core.snapshot().damage().map(|damage| damage.to_string()).collect();
        assert!(!is_done && damage[0].contains(".parquet"), "byte {at} of {len}: {damage:?}");
    }
}

/// The rows of a Parquet file from the last one to the first.
fn reversed(bytes: &[u8]) -> Vec<u8> {
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let input = bytes::Bytes::copy_from_slice(bytes);
    let batches: Vec<_> = ParquetRecordBatchReaderBuilder::try_new(input)
        .unwrap()
        .build()
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), None).unwrap();
    for batch in batches.iter().rev() {
        (0..batch.num_rows()).rev().for_each(|row| writer.write(&batch.slice(row, 1)).unwrap());
    }
    writer.into_inner().unwrap()
}
