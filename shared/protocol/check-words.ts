/** 256 short plain words, told apart easily when read aloud; a word's place is the octet that it stands for. */
export const CHECK_WORDS: readonly string[] = `
  acorn amber anchor angel apple april arrow autumn badge bagel baker bamboo
  banjo barn basil basket beach bean bell berry bird bison blanket bonnet
  bottle bridge bronze brook broom bucket button cabin cactus camel candle canoe
  carpet carrot castle cedar cello chalk cherry chess chimney cider circus clover
  cloud coast cobalt cocoa comet copper coral cotton cradle cricket crown curtain
  daisy dancer delta denim desert diamond dinner dolphin donkey dragon drum eagle
  earth easel echo elbow ember engine eraser evening fabric falcon feather fern
  fiddle finger flame flute forest fossil fountain fox frost galaxy garden garlic
  ginger giraffe glacier globe goblet grape gravel guitar hammer harbor harvest hazel
  helmet heron hockey honey horizon hunter igloo indigo island ivory jacket jaguar
  jasmine jelly jigsaw jungle kayak kettle kitten ladder lagoon lantern laurel lemon
  lilac lion lobster lotus magnet mango maple marble meadow melon meteor mirror
  mitten monsoon mosaic muffin museum napkin nectar needle nickel noodle north nutmeg
  oasis ocean olive onion opera orange orchid otter oyster paddle panda paper
  parrot peach pebble pencil pepper pigeon pillow pilot planet plum pocket pollen
  pony poppy potato prairie pumpkin puzzle quartz quilt rabbit radish raven ribbon
  river robin rocket rose saddle saffron salmon sapphire scarf school seven shadow
  silver skater sketch snow sparrow spider spoon squirrel stable star stone sugar
  summer sunset swan table tango teapot temple thistle thunder tiger timber toast
  tomato topaz tower tractor tulip tundra turtle uncle valley vanilla velvet village
  violet violin volcano walnut walrus water whale wheat willow window winter wizard
  wolf yellow zebra zipper
`
  .trim()
  .split(/\s+/);
