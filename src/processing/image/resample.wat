;; The two passes of resample.ts, and the look-up of preprocess.ts. Assemble with
;;   npx wat2wasm src/processing/image/resample.wat -o src/processing/image/resample.wasm
;;
;; Addresses, pitches and starts count bytes. A weight is an integer in units of 2^-22, cut in two: its low 12 bits, signed,
;; and the rest. Weights come in pairs, as the i16 lanes low, low, high, high, `pairs` of them for each output. A dot product
;; of i16 lanes takes two taps at once; low and high sums are exact, and so is their sum modulo 2^32. Sums start at one half
;; (0x200000) so that the shift by 22 rounds. Loads take 16 bytes and may reach past their row, where the weights are zero.
(module
  (memory (export "memory") 1)

  ;; Bytes of 4 lanes: low + high * 2^12, shifted and clamped, in the first 4 bytes.
  (func $bytes (param $low v128) (param $high v128) (result v128)
    (local.set $low (i32x4.shr_s (i32x4.add (local.get $low) (i32x4.shl (local.get $high) (i32.const 12))) (i32.const 22)))
    (local.set $low (i16x8.narrow_i32x4_s (local.get $low) (local.get $low)))
    (i8x16.narrow_i16x8_u (local.get $low) (local.get $low)))

  ;; Along x: an output pixel in four rows at a time, red, green and blue in the lanes. The rows after the last, up to a
  ;; multiple of four, are there to be read and written. The store of a pixel runs over into the byte after it.
  (func (export "rows")
    (param $source i32) (param $pitch i32) (param $rows i32)
    (param $target i32) (param $targetPitch i32) (param $width i32)
    (param $starts i32) (param $weights i32) (param $pairs i32)
    (local $x i32) (local $at i32) (local $to i32) (local $weight i32) (local $end i32)
    (local $zero v128) (local $half v128) (local $spread v128) (local $low v128) (local $high v128) (local $pixels v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $e v128) (local $f v128) (local $g v128) (local $h v128)
    (local.set $half (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
    ;; The colours of two neighbouring pixels beside each other, as i16 lanes.
    (local.set $spread (v128.const i8x16 0 -1 3 -1 1 -1 4 -1 2 -1 5 -1 -1 -1 -1 -1))
    (local.set $pairs (i32.shl (local.get $pairs) (i32.const 3)))
    (loop $row
      (local.set $x (i32.const 0))
      (local.set $to (local.get $target))
      (local.set $weight (local.get $weights))
      (loop $column
        (local.set $at (i32.add (local.get $source)
          (i32.load (i32.add (local.get $starts) (i32.shl (local.get $x) (i32.const 2))))))
        (local.set $end (i32.add (local.get $weight) (local.get $pairs)))
        (local.set $a (local.get $half)) (local.set $b (local.get $half))
        (local.set $c (local.get $half)) (local.set $d (local.get $half))
        (local.set $e (local.get $zero)) (local.set $f (local.get $zero))
        (local.set $g (local.get $zero)) (local.set $h (local.get $zero))
        (loop $tap
          (local.set $low (v128.load32_splat (local.get $weight)))
          (local.set $high (v128.load32_splat offset=4 (local.get $weight)))
          (local.set $pixels (i8x16.swizzle (v128.load (local.get $at)) (local.get $spread)))
          (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $e (i32x4.add (local.get $e) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $pixels (i8x16.swizzle (v128.load (i32.add (local.get $at) (local.get $pitch))) (local.get $spread)))
          (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $f (i32x4.add (local.get $f) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $pixels (i8x16.swizzle (v128.load (i32.add (local.get $at) (i32.shl (local.get $pitch) (i32.const 1)))) (local.get $spread)))
          (local.set $c (i32x4.add (local.get $c) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $g (i32x4.add (local.get $g) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $pixels (i8x16.swizzle (v128.load (i32.add (local.get $at) (i32.mul (local.get $pitch) (i32.const 3)))) (local.get $spread)))
          (local.set $d (i32x4.add (local.get $d) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $h (i32x4.add (local.get $h) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $at (i32.add (local.get $at) (i32.const 6)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 8)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (local.set $at (local.get $to))
        (v128.store32_lane 0 (local.get $at) (call $bytes (local.get $a) (local.get $e)))
        (local.set $at (i32.add (local.get $at) (local.get $targetPitch)))
        (v128.store32_lane 0 (local.get $at) (call $bytes (local.get $b) (local.get $f)))
        (local.set $at (i32.add (local.get $at) (local.get $targetPitch)))
        (v128.store32_lane 0 (local.get $at) (call $bytes (local.get $c) (local.get $g)))
        (local.set $at (i32.add (local.get $at) (local.get $targetPitch)))
        (v128.store32_lane 0 (local.get $at) (call $bytes (local.get $d) (local.get $h)))
        (local.set $to (i32.add (local.get $to) (i32.const 3)))
        (br_if $column (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1))) (local.get $width))))
      (local.set $source (i32.add (local.get $source) (i32.shl (local.get $pitch) (i32.const 2))))
      (local.set $target (i32.add (local.get $target) (i32.shl (local.get $targetPitch) (i32.const 2))))
      (br_if $row (i32.gt_s (local.tee $rows (i32.sub (local.get $rows) (i32.const 4))) (i32.const 0)))))

  ;; Along y: 16 neighbouring bytes of an output row at a time.
  (func (export "columns")
    (param $source i32) (param $pitch i32) (param $rows i32)
    (param $target i32) (param $targetPitch i32) (param $bytes i32)
    (param $starts i32) (param $weights i32) (param $pairs i32)
    (local $at i32) (local $from i32) (local $row i32) (local $weight i32) (local $end i32)
    (local $zero v128) (local $half v128) (local $low v128) (local $high v128)
    (local $upper v128) (local $lower v128) (local $first v128) (local $second v128) (local $pixels v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $e v128) (local $f v128) (local $g v128) (local $h v128)
    (local.set $half (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
    (local.set $pairs (i32.shl (local.get $pairs) (i32.const 3)))
    (loop $line
      (local.set $row (i32.add (local.get $source) (i32.load (local.get $starts))))
      (local.set $end (i32.add (local.get $weights) (local.get $pairs)))
      (local.set $at (i32.const 0))
      (loop $block
        (local.set $a (local.get $half)) (local.set $b (local.get $half))
        (local.set $c (local.get $half)) (local.set $d (local.get $half))
        (local.set $e (local.get $zero)) (local.set $f (local.get $zero))
        (local.set $g (local.get $zero)) (local.set $h (local.get $zero))
        (local.set $from (i32.add (local.get $row) (local.get $at)))
        (local.set $weight (local.get $weights))
        (loop $tap
          (local.set $low (v128.load32_splat (local.get $weight)))
          (local.set $high (v128.load32_splat offset=4 (local.get $weight)))
          (local.set $upper (v128.load (local.get $from)))
          (local.set $lower (v128.load (i32.add (local.get $from) (local.get $pitch))))
          (local.set $first (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $upper) (local.get $lower)))
          (local.set $second (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $upper) (local.get $lower)))
          (local.set $pixels (i16x8.extend_low_i8x16_u (local.get $first)))
          (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $e (i32x4.add (local.get $e) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $pixels (i16x8.extend_high_i8x16_u (local.get $first)))
          (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $f (i32x4.add (local.get $f) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $pixels (i16x8.extend_low_i8x16_u (local.get $second)))
          (local.set $c (i32x4.add (local.get $c) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $g (i32x4.add (local.get $g) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $pixels (i16x8.extend_high_i8x16_u (local.get $second)))
          (local.set $d (i32x4.add (local.get $d) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $low))))
          (local.set $h (i32x4.add (local.get $h) (i32x4.dot_i16x8_s (local.get $pixels) (local.get $high))))
          (local.set $from (i32.add (local.get $from) (i32.shl (local.get $pitch) (i32.const 1))))
          (local.set $weight (i32.add (local.get $weight) (i32.const 8)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (v128.store (i32.add (local.get $target) (local.get $at)) (i8x16.narrow_i16x8_u
          (i16x8.narrow_i32x4_s
            (i32x4.shr_s (i32x4.add (local.get $a) (i32x4.shl (local.get $e) (i32.const 12))) (i32.const 22))
            (i32x4.shr_s (i32x4.add (local.get $b) (i32x4.shl (local.get $f) (i32.const 12))) (i32.const 22)))
          (i16x8.narrow_i32x4_s
            (i32x4.shr_s (i32x4.add (local.get $c) (i32x4.shl (local.get $g) (i32.const 12))) (i32.const 22))
            (i32x4.shr_s (i32x4.add (local.get $d) (i32x4.shl (local.get $h) (i32.const 12))) (i32.const 22)))))
        (br_if $block (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $bytes))))
      (local.set $weights (local.get $end))
      (local.set $starts (i32.add (local.get $starts) (i32.const 4)))
      (local.set $target (i32.add (local.get $target) (local.get $targetPitch)))
      (br_if $line (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  ;; Pixels to planes of f32: of each byte the value in its channel's table of 256.
  (func (export "look")
    (param $source i32) (param $pixels i32) (param $tables i32) (param $target i32)
    (local $plane i32) (local $end i32)
    (local.set $plane (i32.shl (local.get $pixels) (i32.const 2)))
    (local.set $end (i32.add (local.get $target) (local.get $plane)))
    (loop $pixel
      (f32.store (local.get $target) (f32.load
        (i32.add (local.get $tables) (i32.shl (i32.load8_u (local.get $source)) (i32.const 2)))))
      (f32.store (i32.add (local.get $target) (local.get $plane)) (f32.load offset=1024
        (i32.add (local.get $tables) (i32.shl (i32.load8_u offset=1 (local.get $source)) (i32.const 2)))))
      (f32.store (i32.add (local.get $target) (i32.shl (local.get $plane) (i32.const 1))) (f32.load offset=2048
        (i32.add (local.get $tables) (i32.shl (i32.load8_u offset=2 (local.get $source)) (i32.const 2)))))
      (local.set $source (i32.add (local.get $source) (i32.const 3)))
      (br_if $pixel (i32.lt_u (local.tee $target (i32.add (local.get $target) (i32.const 4))) (local.get $end))))))
