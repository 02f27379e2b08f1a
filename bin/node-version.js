/** The oldest Node that runs llava, by its major version; what reads this may itself run on an older one. */
export const neededNode = 24;

export const isNodeNewEnough = Number.parseInt(process.versions.node, 10) >= neededNode;
