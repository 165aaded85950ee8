/** Ratios as horizontal bars, in one SVG that reads on a light and on a dark page. Pure. */
export interface Bar {
  title: string
  against: string
  ratio: number
}

const ROW = 34
const LEFT = 260
const WIDTH = 760
const MOST = WIDTH - LEFT - 70

export function barChart(bars: readonly Bar[]): string {
  const longest = Math.max(1, ...bars.map(({ ratio }) => ratio))
  const scale = MOST / longest
  const height = bars.length * ROW + 56
  const rows = bars.map(({ title, ratio }, index) => {
    const y = 20 + index * ROW
    return `<text x="${LEFT - 10}" y="${y + 15}" text-anchor="end">${title}</text>
<rect x="${LEFT}" y="${y}" width="${(ratio * scale).toFixed(1)}" height="20" rx="3" fill="#2f7ed8"/>
<text x="${(LEFT + ratio * scale + 8).toFixed(1)}" y="${y + 15}">${ratio.toFixed(2)}</text>`
  })
  const one = LEFT + scale
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#888">
<title>CPU of a relayed request against nginx</title>
${rows.join('\n')}
<line x1="${one.toFixed(1)}" y1="10" x2="${one.toFixed(1)}" y2="${height - 34}" stroke="#d33" stroke-dasharray="4 3"/>
<text x="${one.toFixed(1)}" y="${height - 14}" text-anchor="middle">${bars[0]?.against ?? ''} = 1</text>
</svg>
`
}
