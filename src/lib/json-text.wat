;; Passes over the text of a JSON string sixteen bytes a step, whole escapes included (https://www.rfc-editor.org/rfc/rfc8259#section-7).
;; json-text.ts uses it; after a change: bun .ci/build-wasm.ts
(module
  ;; Two pages, for good. At 0 a table of what a byte may be: 1, behind a backslash; 2, a hexadecimal digit. Behind it the bytes to be read,
  ;; and behind those at least 15 that may be read too, whatever they are.
  (memory (export "memory") 2 2)

  ;; The first position in [at, end) of a quote, of a control character, or of a backslash that begins no escape which is valid and whole
  ;; before the end; else the end.
  (func (export "textEnd") (param $at i32) (param $end i32) (result i32)
    (local $bytes v128)
    (local $hits i32)
    (local $pos i32)
    (local $byte i32)
    (loop $step
      (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (local.get $end))))
      (local.set $bytes (v128.load (local.get $at)))
      (local.set $hits (i8x16.bitmask (v128.or
        (v128.or
          (i8x16.eq (local.get $bytes) (v128.const i32x4 0x22222222 0x22222222 0x22222222 0x22222222))
          (i8x16.eq (local.get $bytes) (v128.const i32x4 0x5c5c5c5c 0x5c5c5c5c 0x5c5c5c5c 0x5c5c5c5c)))
        (i8x16.lt_u (local.get $bytes) (v128.const i32x4 0x20202020 0x20202020 0x20202020 0x20202020)))))
      (loop $hit
        (if (local.get $hits)
          (then
            (local.set $pos (i32.add (local.get $at) (i32.ctz (local.get $hits))))
            (if (i32.ge_u (local.get $pos) (local.get $end)) (then (return (local.get $end))))
            (if (i32.ne (i32.load8_u (local.get $pos)) (i32.const 0x5c)) (then (return (local.get $pos))))
            (if (i32.gt_u (i32.add (local.get $pos) (i32.const 2)) (local.get $end)) (then (return (local.get $pos))))
            (local.set $byte (i32.load8_u offset=1 (local.get $pos)))
            (if (i32.eq (local.get $byte) (i32.const 0x75)) ;; u
              (then
                (if (i32.gt_u (i32.add (local.get $pos) (i32.const 6)) (local.get $end)) (then (return (local.get $pos))))
                (if (i32.ne (i32.const 2) (i32.and (i32.const 2) (i32.and
                    (i32.and
                      (i32.load8_u (i32.load8_u offset=2 (local.get $pos)))
                      (i32.load8_u (i32.load8_u offset=3 (local.get $pos))))
                    (i32.and
                      (i32.load8_u (i32.load8_u offset=4 (local.get $pos)))
                      (i32.load8_u (i32.load8_u offset=5 (local.get $pos)))))))
                  (then (return (local.get $pos))))
                (local.set $pos (i32.add (local.get $pos) (i32.const 6))))
              (else
                (if (i32.eqz (i32.and (i32.const 1) (i32.load8_u (local.get $byte)))) (then (return (local.get $pos))))
                (local.set $pos (i32.add (local.get $pos) (i32.const 2)))))
            ;; On behind the escape: in these sixteen bytes, or in the next from there on.
            (if (i32.ge_u (i32.sub (local.get $pos) (local.get $at)) (i32.const 16))
              (then
                (local.set $at (local.get $pos))
                (br $step)))
            (local.set $hits
              (i32.and (local.get $hits) (i32.shl (i32.const -1) (i32.sub (local.get $pos) (local.get $at)))))
            (br $hit))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $step))
    (unreachable)))
