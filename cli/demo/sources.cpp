#include "cli/demo/sources.h"

#include <glob.h>

#include <cstdlib>

namespace freshet::demo {
namespace {

void glob_into(const Path& root, const std::string& pattern, std::vector<Path>& files) {
  glob_t found{};
  if (glob((root / pattern).c_str(), GLOB_BRACE, nullptr, &found) == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      std::error_code ignored;
      if (std::filesystem::is_regular_file(found.gl_pathv[i], ignored))
        files.emplace_back(found.gl_pathv[i]);
    }
  globfree(&found);
}

}  // namespace

const std::vector<Source>& private_sources() {
  static const std::vector<Source> sources = {
      {"jargon",
       "hacker slang (the Jargon File)",
       "dict-jargon",
       Form::kDictionary,
       {"usr/share/dictd/jargon.dict.dz"}},
      {"foldoc",
       "dictionary of computing (FOLDOC)",
       "dict-foldoc",
       Form::kDictionary,
       {"usr/share/dictd/foldoc.dict.dz"}},
      {"bible", "King James Bible", "bible-kjv-text", Form::kBible, {"usr/lib/bible.data"}},
      {"fortunes",
       "quotations and verse (fortunes)",
       "fortunes",
       Form::kFortunes,
       {"usr/share/games/fortunes/people", "usr/share/games/fortunes/songs-poems",
        "usr/share/games/fortunes/wisdom", "usr/share/games/fortunes/science",
        "usr/share/games/fortunes/definitions", "usr/share/games/fortunes/work",
        "usr/share/games/fortunes/law", "usr/share/games/fortunes/tao",
        "usr/share/games/fortunes/cookie"}},
      {"perl",
       "Perl manuals",
       "perl-doc",
       Form::kPod,
       {"usr/share/perl/*/pod/perlintro.pod", "usr/share/perl/*/pod/perlfaq[1-9].pod",
        "usr/share/perl/*/pod/perlretut.pod", "usr/share/perl/*/pod/perlootut.pod",
        "usr/share/perl/*/pod/perlsyn.pod", "usr/share/perl/*/pod/perlsub.pod",
        "usr/share/perl/*/pod/perldata.pod", "usr/share/perl/*/pod/perlref.pod",
        "usr/share/perl/*/pod/perlmod.pod", "usr/share/perl/*/pod/perlunicode.pod",
        "usr/share/perl/*/pod/perlipc.pod"}},
      {"policy",
       "Debian policy",
       "debian-policy",
       Form::kPlain,
       {"usr/share/doc/debian-policy/policy.txt.gz"}},
      {"french",
       "manual pages in French",
       "manpages-fr",
       Form::kRoff,
       {"usr/share/man/fr/man1/{bash,find,grep,gzip,nano,tar,wget}.1.gz",
        "usr/share/man/fr/man5/{nfs,exports}.5.gz",
        "usr/share/man/fr/man7/{cpuset,inotify,ip,sched,signal,socket,unix,uri}.7.gz",
        "usr/share/man/fr/man8/{fdisk,mount}.8.gz"}},
      {"spanish",
       "proverbs and quotations in Spanish",
       "fortunes-es",
       Form::kFortunes,
       {"usr/share/games/fortunes/es/refranes.fortunes",
        "usr/share/games/fortunes/es/sabiduria.fortunes",
        "usr/share/games/fortunes/es/sentimientos.fortunes",
        "usr/share/games/fortunes/es/arte.fortunes", "usr/share/games/fortunes/es/humanos.fortunes",
        "usr/share/games/fortunes/es/vida.fortunes", "usr/share/games/fortunes/es/poder.fortunes",
        "usr/share/games/fortunes/es/ciencia.fortunes"}},
  };
  return sources;
}

const std::vector<Source>& public_sources() {
  static const std::vector<Source> sources = {
      {"reference",
       "Debian reference",
       "debian-reference-en",
       Form::kPlain,
       {"usr/share/debian-reference/debian-reference.en.txt.gz"}},
      {"devil",
       "the Devil's Dictionary",
       "dict-devil",
       Form::kDictionary,
       {"usr/share/dictd/devil.dict.dz"}},
      {"faq-french",
       "Debian FAQ in French",
       "debian-faq-fr",
       Form::kPlain,
       {"usr/share/doc/debian/FAQ/debian-faq.fr.txt.gz"}},
      {"guide-spanish",
       "maintainers' guide in Spanish",
       "maint-guide-es",
       Form::kPlain,
       {"usr/share/doc/maint-guide-es/maint-guide.es.txt.gz"}},
  };
  return sources;
}

TextRoots text_roots() {
  TextRoots roots;
  const char* chosen = std::getenv("FRESHET_DEMO_TEXT");
  roots.unpacked =
      chosen != nullptr ? Path(chosen) : (binary_folder() / "../../demo-text").lexically_normal();
  return roots;
}

Result<std::vector<Path>> find_files(const Source& source, const TextRoots& roots) {
  for (const Path& root : {roots.system, roots.unpacked / source.package}) {
    std::vector<Path> files;
    for (const std::string& pattern : source.patterns) glob_into(root, pattern, files);
    if (!files.empty()) return files;
  }
  return fail(Code::kBadInput, "no text of the Debian package " + source.package + " in " +
                                   roots.system.string() + " or " + roots.unpacked.string() +
                                   "; run deploy/demo_text.sh, or give --data DIR");
}

}  // namespace freshet::demo
